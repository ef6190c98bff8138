package column

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// Dict maps byte strings to dense codes from 1; code 0 stands for null and has
// no value. Values are hashed once, when they come in, and the hash is kept.
//
// Values need not be distinct: a dictionary in which nearly every value is new
// stops looking them up (the look-up then costs more than it saves) and hashing
// them. Whoever compares codes must therefore compare values when codes differ.
//
// A Dict has one writer; it can be read by many once it is no longer written.
type Dict struct {
	// off[c] .. off[c+1] is the length of the value of code c, in four bytes, and the
	// value: as Parquet has texts. Null has the length 0.
	off  []uint32
	data []byte
	hash []uint32 // of the values that were looked up
	// table is open addressing: a hash above the code that has it; 0 is free. A table of
	// very many columns has a dictionary for each, most of which never need one.
	table []uint64
	mask  uint32
	// invalid lists the codes whose values are not valid UTF-8.
	invalid []uint32
	adds    int
	plain   bool // values are not looked up any more
	never   bool // they never are
}

// sampleAdds is how many values are added before a dictionary judges whether
// looking values up is worth its cost.
const sampleAdds = 8192

// leastTable is how many entries the first table has.
const leastTable = 8

// prefix is the size of the length before a value.
const prefix = 4

// NewDict returns an empty dictionary.
func NewDict() *Dict {
	d := &Dict{}
	d.Reset()
	return d
}

// NewPlainDict returns an empty dictionary that looks no values up.
func NewPlainDict() *Dict {
	return &Dict{off: []uint32{0, prefix}, data: make([]byte, prefix), plain: true, never: true}
}

// Reset empties d and keeps its memory.
func (d *Dict) Reset() {
	d.off = append(d.off[:0], 0, prefix)
	if d.data == nil {
		d.data = make([]byte, prefix)
	}
	d.data = d.data[:prefix]
	d.hash = append(d.hash[:0], 0)
	d.invalid = d.invalid[:0]
	d.adds, d.plain = 0, d.never
	clear(d.table)
}

// fresh reports whether d never held a value since it was made.
func (d *Dict) fresh() bool { return d.Len() == 1 && cap(d.data) == prefix }

// Reserve makes room for values of so many bytes in all, so that adding them
// moves little.
func (d *Dict) Reserve(values, bytes int) {
	d.data = slices.Grow(d.data, bytes)
	d.off = slices.Grow(d.off, values)
	values = min(values, sampleAdds) // of more, most are not looked up
	d.hash = slices.Grow(d.hash, values)
	if size := 1 << bits.Len(uint(2*(values+2))); d.Len() == 1 && size > len(d.table) {
		d.table = Zeros[uint64](size)
		d.mask = uint32(size - 1)
	}
}

// Len returns the number of codes, null's included: codes are below it.
func (d *Dict) Len() int { return len(d.off) - 1 }

// Size returns the bytes of all values and of their lengths.
func (d *Dict) Size() int { return len(d.data) - prefix }

// Memory returns the bytes that d holds on to.
func (d *Dict) Memory() int {
	return cap(d.data) + 4*(cap(d.off)+cap(d.hash)+2*cap(d.table)+cap(d.invalid))
}

// Value returns the value of a code, read only; empty for null.
func (d *Dict) Value(code uint32) []byte { return d.data[d.off[code]+prefix : d.off[code+1]] }

// Plain returns the values of the codes from one up to below another, each behind its
// length in four bytes, read only.
func (d *Dict) Plain(from, to uint32) []byte { return d.data[d.off[from]:d.off[to]] }

// Hash returns the hash of a code's value, as hashBytes gives it.
func (d *Dict) Hash(code uint32) uint32 {
	if int(code) < len(d.hash) {
		return d.hash[code]
	}
	return hashBytes(d.Value(code))
}

// Invalid lists the codes whose values are not valid UTF-8.
func (d *Dict) Invalid() []uint32 { return d.invalid }

// hashBytes is the hash that dictionaries use.
func hashBytes(v []byte) uint32 { return uint32(xxh3.Hash(v)) }

// Add returns the code of v, adding a copy of it if need be.
func (d *Dict) Add(v []byte) uint32 {
	if d.plain {
		return d.push(v, false)
	}
	return d.intern(v, hashBytes(v), false)
}

// AddValid is Add for a value that is known to be valid UTF-8.
func (d *Dict) AddValid(v []byte) uint32 {
	if d.plain {
		return d.push(v, true)
	}
	return d.intern(v, hashBytes(v), true)
}

// addHashed is Add for a caller that has the hash of v already.
func (d *Dict) addHashed(v []byte, h uint32) uint32 {
	if d.plain {
		return d.push(v, false)
	}
	return d.intern(v, h, false)
}

// addOf is Add of a value of s.
func (d *Dict) addOf(s *Dict, code uint32) uint32 {
	v, valid := s.Value(code), len(s.invalid) == 0
	if d.plain {
		return d.push(v, valid)
	}
	return d.intern(v, s.Hash(code), valid)
}

// intern returns the code of v, which is added if it is not there.
func (d *Dict) intern(v []byte, h uint32, valid bool) uint32 {
	d.count()
	if len(d.table) == 0 { // also of a copy of one without
		d.table, d.mask = make([]uint64, leastTable), leastTable-1
	}
	i := h & d.mask
	for {
		e := d.table[i]
		if e == 0 {
			break
		}
		if c := uint32(e); uint32(e>>32) == h && bytes.Equal(d.Value(c), v) {
			return c
		}
		i = (i + 1) & d.mask
	}
	c := d.push(v, valid)
	d.hash = append(d.hash, h)
	d.table[i] = uint64(h)<<32 | uint64(c)
	if uint32(len(d.off))*2 > d.mask {
		d.grow()
	}
	return c
}

// push adds a value.
func (d *Dict) push(v []byte, valid bool) uint32 {
	c := uint32(d.Len())
	d.data = binary.LittleEndian.AppendUint32(d.data, uint32(len(v)))
	d.data = append(d.data, v...)
	d.off = append(d.off, uint32(len(d.data)))
	if !valid && !utf8.Valid(v) {
		d.invalid = append(d.invalid, c)
	}
	return c
}

// Again notes that the caller met values again, n times, and has their codes; it then
// counts them as looked up. It reports whether these codes may be used: not where values
// are not looked up any more, or where this may end among the n.
func (d *Dict) Again(n int) bool {
	if d.plain || n > 1 && d.adds < sampleAdds && d.adds+n >= sampleAdds {
		return false
	}
	if n == 1 {
		d.count()
	} else {
		d.adds += n
	}
	return true
}

// count counts a value that is looked up. If looking up did not pay so far, it is
// the last one.
func (d *Dict) count() {
	if d.adds++; d.adds == sampleAdds && d.Len() > sampleAdds*3/4 {
		d.plain = true
	}
}

// AddPlain adds n values that stand as in Plain, with codes that follow each other,
// and returns the first of these. ok is false, and nothing added, if d still looks
// values up or the bytes are not n values. valid says that all are valid UTF-8.
func (d *Dict) AddPlain(src []byte, n int, valid bool) (first uint32, ok bool) {
	if !d.plain {
		return 0, false
	}
	first, at := uint32(d.Len()), 0
	off := slices.Grow(d.off, n)
	base := uint32(len(d.data))
	for range n {
		if len(src)-at < prefix {
			return 0, false
		}
		size := uint64(binary.LittleEndian.Uint32(src[at:]))
		if size > uint64(len(src)-at-prefix) {
			return 0, false
		}
		at += prefix + int(size)
		off = append(off, base+uint32(at))
	}
	if at != len(src) {
		return 0, false
	}
	d.off, d.data = off, append(d.data, src...)
	for c := first; !valid && c < uint32(d.Len()); c++ {
		if !utf8.Valid(d.Value(c)) {
			d.invalid = append(d.invalid, c)
		}
	}
	return first, true
}

func (d *Dict) grow() {
	d.table = Zeros[uint64](2 * len(d.table))
	d.mask = uint32(len(d.table) - 1)
	for c := 1; c < d.Len(); c++ {
		i := d.hash[c] & d.mask
		for d.table[i] != 0 {
			i = (i + 1) & d.mask
		}
		d.table[i] = uint64(d.hash[c])<<32 | uint64(c)
	}
}
