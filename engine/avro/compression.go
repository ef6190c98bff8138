package avro

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const (
	codecNull    = "null"
	codecDeflate = "deflate"
	codecSnappy  = "snappy"
	codecZstd    = "zstandard"
	codecBzip2   = "bzip2"
	codecXZ      = "xz"
)

func codecs() []string {
	return []string{codecNull, codecDeflate, codecSnappy, codecZstd, codecBzip2, codecXZ}
}

func knownCodec(name string) bool { return slices.Contains(codecs(), name) }

// decompressor decompresses blocks into memory of its own, which the next block
// overwrites.
type decompressor struct {
	codec   string
	limit   int // bytes a block may decompress to
	out     []byte
	source  bytes.Reader
	inflate io.ReadCloser
	zstd    *zstd.Decoder
}

func newDecompressor(codec string, limit int) (*decompressor, error) {
	u := &decompressor{codec: codec, limit: limit}
	switch codec {
	case codecDeflate:
		u.inflate = flate.NewReader(&u.source)
	case codecZstd:
		var err error
		u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxMemory(uint64(limit)), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, fmt.Errorf("preparing zstandard: %w", err)
		}
	}
	return u, nil
}

// decompress returns the decompressed form of data, which is data itself or the
// decompressor's own memory.
func (u *decompressor) decompress(data []byte) ([]byte, error) {
	var err error
	switch u.codec {
	case codecNull:
		return data, nil
	case codecSnappy:
		return u.decompressSnappy(data)
	case codecZstd:
		return u.decompressZstd(data)
	}
	u.source.Reset(data)
	var r io.Reader
	switch u.codec {
	case codecDeflate:
		// What stands behind the end of the stream is ignored: some writers
		// leave a part of zlib's checksum there.
		if err = u.inflate.(flate.Resetter).Reset(&u.source, nil); err != nil {
			return nil, err
		}
		r = u.inflate
	case codecBzip2:
		r = bzip2.NewReader(&u.source)
	case codecXZ:
		if r, err = newXZ(&u.source, data, u.limit); err != nil {
			return nil, err
		}
	}
	u.out, err = readAll(u.out[:0], r, u.limit)
	return u.out, err
}

// decompressSnappy decompresses a block and checks the checksum that Avro puts behind it.
func (u *decompressor) decompressSnappy(data []byte) ([]byte, error) {
	if len(data) < 4 {
		return nil, errors.New("no room for the checksum")
	}
	body, sum := data[:len(data)-4], binary.BigEndian.Uint32(data[len(data)-4:])
	n, err := snappy.DecodedLen(body)
	if err != nil {
		return nil, err
	}
	// Three bytes copy 64 at most: what claims more need not be tried.
	if n > 22*len(body) {
		return nil, fmt.Errorf("%d bytes cannot hold the %d they claim", len(body), n)
	}
	if n > u.limit {
		return nil, errTooLarge.of(u.limit)
	}
	u.out = slices.Grow(u.out[:0], n)[:n]
	out, err := snappy.Decode(u.out, body)
	if err != nil {
		return nil, err
	}
	if got := crc32.ChecksumIEEE(out); got != sum {
		return nil, fmt.Errorf("checksum %08x instead of %08x", got, sum)
	}
	return out, nil
}

func (u *decompressor) decompressZstd(data []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(data); err != nil {
		return nil, err
	}
	// Four bytes make at most a block of 128 KiB.
	if h.HasFCS && h.FrameContentSize > uint64(len(data)/4+1)<<17 {
		return nil, fmt.Errorf("%d bytes cannot hold the %d they claim", len(data), h.FrameContentSize)
	}
	out, err := u.zstd.DecodeAll(data, u.out[:0])
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || len(out) > u.limit {
		err = errTooLarge.of(u.limit)
	}
	u.out = out
	return out, err
}

// newXZ refuses streams whose first block wants a dictionary of more than limit bytes:
// it would be allocated at once. Its size is the last byte of the only filter
// that the package knows, LZMA2.
func newXZ(r io.Reader, data []byte, limit int) (io.Reader, error) {
	const streamHeader = 12
	if len(data) > streamHeader+2 {
		at := streamHeader + 2
		for _, sized := range []byte{0x40, 0x80} {
			if data[streamHeader+1]&sized != 0 {
				_, n := binary.Uvarint(data[at:])
				at += max(n, 0)
			}
		}
		if at+2 < len(data) && data[at] == 0x21 && data[at+1] == 1 && xzDictionary(data[at+2]) > limit {
			return nil, fmt.Errorf("it asks for a dictionary of more than %d bytes", limit)
		}
	}
	return xz.NewReader(r)
}

// xzDictionary is the size that a code of LZMA2 stands for, which are up to 40.
func xzDictionary(code byte) int {
	if code > 40 {
		return math.MaxInt
	}
	return (2 | int(code&1)) << (code/2 + 11)
}

// readAll appends what r has to dst, up to limit bytes.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(4096, min(len(dst), limit-len(dst)+1)))
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, errTooLarge.of(limit)
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}
