// Package wire reads numbers from the compact formats of the state.
package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Reader takes numbers off Rest. Bad remembers that one was not there or was
// too great: from then on nothing is left and all numbers are 0.
type Reader struct {
	Rest []byte
	Bad  bool
}

func (r *Reader) fail() { r.Bad, r.Rest = true, nil }

// Uvarint takes an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	if len(r.Rest) > 0 && r.Rest[0] < 0x80 {
		v := r.Rest[0]
		r.Rest = r.Rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Uvarint32 takes an unsigned varint of at most 32 bits.
func (r *Reader) Uvarint32() uint32 {
	v := r.Uvarint()
	if v > math.MaxUint32 {
		r.fail()
	}
	return uint32(v)
}

// Varint takes a signed varint, in zigzag form.
func (r *Reader) Varint() int64 {
	u := r.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// Skip passes over n varints.
func (r *Reader) Skip(n int) {
	const ends = 0x8080808080808080 // the bits that all bytes of a number but the last have
	for ; n >= 8 && len(r.Rest) >= 8; r.Rest = r.Rest[8:] {
		n -= bits.OnesCount64(^binary.LittleEndian.Uint64(r.Rest) & ends)
	}
	for ; n > 0 && len(r.Rest) > 0; r.Rest = r.Rest[1:] {
		n -= int(^r.Rest[0] >> 7)
	}
	if n > 0 {
		r.Bad = true
	}
}

// Fixed32 takes four bytes, the least significant first.
func (r *Reader) Fixed32() uint32 {
	b := r.Take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// Take takes n bytes, nil if they are not there. They stay Rest's.
func (r *Reader) Take(n int) []byte {
	if len(r.Rest) < n {
		r.fail()
		return nil
	}
	p := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return p
}
