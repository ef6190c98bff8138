package kv

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// ValidDigest reports whether a text is a SHA-256 digest in lower-case hex, as it may
// be part of a path.
func ValidDigest(digest string) bool {
	if len(digest) != 2*sha256.Size {
		return false
	}
	for _, c := range digest {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// NewLineage returns the lineage of a new state: 128 random bits in hex.
func NewLineage() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// ValidLineage reports whether a text is one of NewLineage.
func ValidLineage(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == 16 && text == strings.ToLower(text)
}
