package parquet

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// defaultLevel is the zstd level for Options.Level 0; see BenchmarkWrite.
const defaultLevel = 1

// compressor compresses pages; one goroutine may use it at a time.
type compressor struct {
	codec format.CompressionCodec
	level int
	zstd  *zstd.Encoder
}

func newCompressor(codec format.CompressionCodec, level int) (*compressor, error) {
	c := &compressor{codec: codec, level: level}
	if codec != format.Zstd {
		return c, nil
	}
	if level == 0 {
		level = defaultLevel
	}
	var err error
	c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithWindowSize(pageBytes),
		zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
	return c, err
}

// is reports whether c does what newCompressor with these arguments would.
func (c *compressor) is(codec format.CompressionCodec, level int) bool {
	return c.codec == codec && (c.level == level || codec != format.Zstd)
}

// append appends src, compressed, to dst.
func (c *compressor) append(dst, src []byte) []byte {
	switch c.codec {
	case format.Zstd:
		return c.zstd.EncodeAll(src, dst)
	case format.Snappy:
		at := len(dst)
		dst = grow(dst, s2.MaxEncodedLen(len(src)))
		return dst[:at+len(s2.EncodeSnappy(dst[at:], src))]
	}
	return append(dst, src...)
}

// CheckCompression fails if no file can be written in a compression of that name.
func CheckCompression(name string) error {
	_, err := codecOf(name)
	return err
}

func codecOf(name string) (format.CompressionCodec, error) {
	switch name {
	case "zstd":
		return format.Zstd, nil
	case "snappy":
		return format.Snappy, nil
	case "none":
		return format.Uncompressed, nil
	}
	return 0, fmt.Errorf("unknown compression %q; known are zstd, snappy, none", name)
}

var errSize = errors.New("its size does not fit its content")

// decompressor undoes a compressor; one goroutine may use it at a time.
type decompressor struct {
	zstd *zstd.Decoder
}

// decode returns the size bytes that src holds, in dst if they fit. size is
// believed only as far as src bears it out.
func (d *decompressor) decode(dst, src []byte, codec format.CompressionCodec, size int) ([]byte, error) {
	var err error
	switch codec {
	case format.Uncompressed:
		dst = src
	case format.Snappy:
		var n int
		if n, err = s2.DecodedLen(src); err != nil {
			return nil, err
		}
		if n != size || n > 24*len(src) { // a copy of 64 bytes takes three
			return nil, errSize
		}
		dst, err = s2.Decode(room(dst, size), src)
	case format.Zstd:
		dst, err = d.decodeZstd(dst, src, size)
	default:
		return nil, fmt.Errorf("compression %s is not supported", codec)
	}
	if err != nil {
		return nil, err
	}
	if len(dst) != size {
		return nil, errSize
	}
	return dst, nil
}

func (d *decompressor) decodeZstd(dst, src []byte, size int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, err
	}
	if h.HasFCS && h.FrameContentSize != uint64(size) || size > 1<<16*(len(src)+1) { // a block of 128 KiB takes four bytes
		return nil, errSize
	}
	if d.zstd == nil {
		var err error
		d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxPageBytes))
		if err != nil {
			return nil, err
		}
	}
	if h.HasFCS {
		dst = room(dst, size)
	}
	return d.zstd.DecodeAll(src, dst[:0])
}

// room returns a slice of n bytes of undefined content, b's memory if it is
// large enough.
func room(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/8)
	}
	return b[:n]
}
