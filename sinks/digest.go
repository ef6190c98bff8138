package sinks

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/zeebo/xxh3"
)

// A digest names the bytes of a data file: 128 bits of XXH3 in lower-case hex. It
// tells whether a file is the one that was written, after a crash and where its pin is
// another, and is to tell chance, not malice: who can write to a sink can forge its
// pins as well, which are believed before any digest is computed. Earlier versions
// wrote SHA-256; what they wrote is told by that.

// NewDigest returns what computes the digest of a file from its bytes.
func NewDigest() hash.Hash { return &xxh128{xxh3.New128()} }

// NewDigestLike returns what computes a digest of the kind of d.
func NewDigestLike(d string) hash.Hash {
	if hex.DecodedLen(len(d)) == sha256.Size {
		return sha256.New()
	}
	return NewDigest()
}

// DigestText is a digest as text.
func DigestText(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// xxh128 makes the long sum of a hash its Sum.
type xxh128 struct{ *xxh3.Hasher128 }

func (x *xxh128) Size() int { return 16 }

func (x *xxh128) Sum(b []byte) []byte {
	sum := x.Sum128().Bytes()
	return append(b, sum[:]...)
}
