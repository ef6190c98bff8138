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
	out     []byte
	source  bytes.Reader
	inflate io.ReadCloser
	zstd    *zstd.Decoder
	most    int // bytes that zstd makes
}

func newDecompressor(codec string) *decompressor {
	u := &decompressor{codec: codec}
	if codec == codecDeflate {
		u.inflate = flate.NewReader(&u.source)
	}
	return u
}

// shrink gives up the memory of the last block. The next one is to have so many bytes, 0 if
// that is not known.
func (u *decompressor) shrink(next int) {
	u.out = nil
	if next > 0 {
		u.out = make([]byte, 0, next+1) // what reads to the end asks for one more
	}
}

// decompress returns the decompressed form of data, which is data itself or the
// decompressor's own memory. A form of more than limit bytes is a LimitError: it is counted
// then, and nothing of it kept.
func (u *decompressor) decompress(data []byte, limit int) ([]byte, error) {
	switch u.codec {
	case codecNull:
		return data, nil
	case codecSnappy:
		return u.decompressSnappy(data, limit)
	case codecZstd:
		return u.decompressZstd(data, limit)
	}
	r, err := u.stream(data, limit)
	if err != nil {
		return nil, err
	}
	if u.out, err = readAll(u.out[:0], r, limit); err != nil || len(u.out) <= limit {
		return u.out, err
	}
	n := len(u.out)
	u.out = nil
	more, err := io.Copy(io.Discard, io.LimitReader(r, MostSize-int64(n)+1))
	if err != nil {
		return nil, err
	}
	return nil, &LimitError{What: blockUnpacked, Size: n + int(more), Limit: limit}
}

// stream returns a reader of the decompressed form of data.
func (u *decompressor) stream(data []byte, limit int) (r io.Reader, err error) {
	u.source.Reset(data)
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
		return newXZ(&u.source, data, limit)
	}
	return r, nil
}

// decompressSnappy decompresses a block and checks the checksum that Avro puts behind it.
func (u *decompressor) decompressSnappy(data []byte, limit int) ([]byte, error) {
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
	if n > limit {
		return nil, &LimitError{What: blockUnpacked, Size: n, Limit: limit}
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

func (u *decompressor) decompressZstd(data []byte, limit int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(data); err != nil {
		return nil, err
	}
	// Four bytes make at most a block of 128 KiB.
	if h.HasFCS && h.FrameContentSize > uint64(len(data)/4+1)<<17 {
		return nil, fmt.Errorf("%d bytes cannot hold the %d they claim", len(data), h.FrameContentSize)
	}
	if h.HasFCS && h.FrameContentSize > uint64(limit) {
		return nil, &LimitError{What: blockUnpacked, Size: int(min(h.FrameContentSize, MostSize+1)), Limit: limit}
	}
	most := limit
	if h.WindowSize > uint64(limit) {
		// The decoder refuses it, whatever comes of it: that is found out without its memory.
		if !h.HasFCS {
			if n := zstdSize(data, max(limit, zstdWindow)); n == 0 || n > limit {
				return nil, &LimitError{What: blockUnpacked, Size: n, Limit: limit}
			}
		}
		most = MostSize
	}
	dec, err := u.zstdOf(most)
	if err != nil {
		return nil, err
	}
	out, err := dec.DecodeAll(data, u.out[:0])
	u.out = out
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || len(out) > limit {
		u.out = nil
		return nil, &LimitError{What: blockUnpacked, Size: zstdSize(data, limit), Limit: limit}
	}
	return out, err
}

// zstdWindow is the greatest window that writers use unless they are told to.
const zstdWindow = 8 << 20

// zstdOf returns a decoder that makes up to so many bytes.
func (u *decompressor) zstdOf(limit int) (*zstd.Decoder, error) {
	if u.zstd != nil && u.most == limit {
		return u.zstd, nil
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(limit)), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("preparing zstandard: %w", err)
	}
	if u.zstd != nil {
		u.zstd.Close()
	}
	u.zstd, u.most = dec, limit
	return dec, nil
}

// zstdSize counts what data, which does not say it, decompresses to; 0 if that takes a
// window of more than limit bytes.
func zstdSize(data []byte, limit int) int {
	dec, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(uint64(max(limit, zstd.MinWindowSize))), zstd.WithDecoderLowmem(true))
	if err != nil {
		return 0
	}
	defer dec.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(dec, MostSize+1))
	if err != nil {
		return 0
	}
	return int(n)
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
			return nil, &LimitError{What: dictionary, Size: min(xzDictionary(data[at+2]), MostSize+1), Limit: limit}
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

// readAll appends what r has to dst, and ends when that is more than limit bytes.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(4096, min(len(dst), limit-len(dst)+1)))
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, nil
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}
