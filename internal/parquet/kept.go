package parquet

import (
	"bytes"

	"github.com/parquet-go/parquet-go/format"
)

// kept is a part of a footer that waits until all row groups are written: compressed, if
// it is long.
type kept struct {
	data   []byte
	size   int // of what it stands for
	packed bool
}

// leastPacked is from how many bytes on what is kept is compressed.
const leastPacked = 64 << 10

// packer compresses what is kept. Its memory is used again.
type packer struct {
	pack   *compressor // nil before the first long part
	unpack decompressor
	buf    []byte
}

// keep returns a copy of b.
func (p *packer) keep(b []byte) (kept, error) {
	if len(b) < leastPacked {
		return kept{data: bytes.Clone(b), size: len(b)}, nil
	}
	if p.pack == nil {
		var err error
		if p.pack, err = newCompressor(format.Zstd, 0); err != nil {
			return kept{}, err
		}
	}
	p.buf = p.pack.append(p.buf[:0], b)
	return kept{data: bytes.Clone(p.buf), size: len(b), packed: true}, nil
}

// take returns what was kept, until the next call.
func (p *packer) take(k kept) ([]byte, error) {
	if !k.packed {
		return k.data, nil
	}
	b, err := p.unpack.decode(p.buf, k.data, format.Zstd, k.size)
	if err == nil {
		p.buf = b
	}
	return b, err
}
