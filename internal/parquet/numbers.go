package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// numbers is the values of a numeric column of one row group: int64 as they
// are, doubles as their bits. Its memory is kept from one row group to the
// next.
type numbers struct {
	typ  format.Type
	vals []int64 // of the non-null rows
	own  []int64 // memory of vals where they are not the column's own

	dict  []int64  // distinct values in order of their first row
	ids   []uint32 // of a value: its place in dict
	table []uint32 // places in dict, from 1, by hash
}

// load takes the values of the rows of c that are not null.
func (x *numbers) load(c *column.Column) {
	x.typ = physical(c.Type)
	n := c.Len()
	if c.Null == nil && x.typ != format.Double {
		x.vals = c.Ints
		return
	}
	if cap(x.own) < n+1 {
		x.own = make([]int64, n+1+n/4)
	}
	own, k := x.own[:n+1], uint32(0)
	switch {
	case x.typ != format.Double:
		for i, v := range c.Ints {
			own[k] = v
			k += 1 ^ bit(c.Null[i])
		}
	case c.Null == nil:
		for i, v := range c.Floats {
			own[i] = int64(math.Float64bits(v))
		}
		k = uint32(n)
	default:
		for i, v := range c.Floats {
			own[k] = int64(math.Float64bits(v))
			k += 1 ^ bit(c.Null[i])
		}
	}
	x.vals = own[:k]
}

const (
	maxNumberDict = 1 << 16
	sampleValues  = 4096
)

// rawCost is how many bytes before compression are as bad as one in the file: they
// take time to compress and decompress.
const rawCost = 32

// choose returns the encoding that makes the column smallest of those that the file
// may have, as far as a sample in its middle tells, and takes few bytes before
// compression.
func (x *numbers) choose(e *encoder) format.Encoding {
	if x.typ == format.Boolean || len(x.vals) < 8 {
		return format.Plain
	}
	n := len(x.vals)
	s := min(n, sampleValues)
	from := (n - s) / 2
	size := func(raw []byte) int {
		e.raw = raw
		e.trial = e.comp.append(e.trial[:0], raw)
		return len(e.trial) + len(raw)/rawCost
	}
	best, enc := size(x.appendPlain(e.raw[:0], x.vals[from:from+s]))*n/s, format.Plain
	if x.typ != format.Double && !e.plain {
		if got := size(appendDelta(e.raw[:0], x.vals[from:from+s], x.typ == format.Int32)) * n / s; got < best {
			best, enc = got, format.DeltaBinaryPacked
		}
	}
	if x.distinct() {
		k := len(x.dict)
		got := size(appendHybrid(e.raw[:0], x.ids[from:from+s], x.width())) * n / s
		part := min(k, sampleValues)
		if got < best {
			got += size(x.appendPlain(e.raw[:0], x.dict[:part])) * k / part
		}
		if got < best {
			enc = format.RLEDictionary
		}
	}
	return enc
}

// can reports whether the column can have an encoding that one like it has, in a
// plain file or not. A dictionary must still pay, and is collected then.
func (x *numbers) can(enc format.Encoding, plain bool) bool {
	switch enc {
	case format.Plain:
		return true
	case format.DeltaBinaryPacked:
		return !plain && (x.typ == format.Int64 || x.typ == format.Int32)
	case format.RLEDictionary:
		return x.typ != format.Boolean && len(x.vals) > 0 && x.distinct()
	}
	return false
}

// encodingOf returns the encoding of the data pages of a chunk that a Writer wrote,
// RLE, which none has, without a chunk.
func encodingOf(m *format.ColumnMetaData) format.Encoding {
	if m == nil {
		return format.RLE
	}
	for _, enc := range m.Encoding { // the levels' and a dictionary page's are listed, too
		if enc == format.RLEDictionary || enc == format.DeltaBinaryPacked {
			return enc
		}
	}
	return format.Plain
}

// distinct collects the distinct values; it gives up and returns false when
// there are too many for a dictionary to pay.
func (x *numbers) distinct() bool {
	limit := min(maxNumberDict, len(x.vals)/4+4)
	shift := 64 - bits.Len(uint(2*limit))
	size := 1 << (64 - shift)
	x.table = grow32(x.table[:0], size)
	clear(x.table)
	x.dict = x.dict[:0]
	x.ids = grow32(x.ids[:0], len(x.vals))
	prev, id := x.vals[0], uint32(0)
	for i, v := range x.vals {
		if v == prev && i > 0 {
			x.ids[i] = id
			continue
		}
		at := uint64(v) * 0x9E3779B97F4A7C15 >> shift
		for {
			id = x.table[at] - 1
			if id == math.MaxUint32 || x.dict[id] == v {
				break
			}
			at = (at + 1) & uint64(size-1)
		}
		if id == math.MaxUint32 {
			if len(x.dict) == limit {
				return false
			}
			id = uint32(len(x.dict))
			x.dict = append(x.dict, v)
			x.table[at] = id + 1
		}
		x.ids[i], prev = id, v
	}
	return true
}

func (x *numbers) width() uint { return indexWidth(len(x.dict)) }

// appendPlain appends vals in the PLAIN encoding.
func (x *numbers) appendPlain(dst []byte, vals []int64) []byte {
	at := len(dst)
	switch x.typ {
	case format.Boolean:
		return appendBooleans(dst, vals)
	case format.Int32:
		dst = grow(dst, 4*len(vals))
		for i, v := range vals {
			binary.LittleEndian.PutUint32(dst[at+4*i:], uint32(v))
		}
	default:
		dst = grow(dst, 8*len(vals))
		for i, v := range vals {
			binary.LittleEndian.PutUint64(dst[at+8*i:], uint64(v))
		}
	}
	return dst
}

func appendBooleans(dst []byte, vals []int64) []byte {
	for len(vals) > 0 {
		var b byte
		n := min(8, len(vals))
		for i, v := range vals[:n] {
			b |= byte(bit(v != 0)) << i
		}
		dst, vals = append(dst, b), vals[n:]
	}
	return dst
}

// bounds returns the least and the greatest of at least one value, doubles as
// their bits; ok is false when there are none because of a NaN.
func (x *numbers) bounds(vals []int64) (least, most int64, ok bool) {
	switch x.typ {
	case format.Double:
		return doubleBounds(vals)
	case format.Boolean:
		least, most = 1, 0
		for _, v := range vals {
			b := int64(bit(v != 0))
			least, most = min(least, b), max(most, b)
		}
		return least, most, true
	}
	least, most = vals[0], vals[0]
	for _, v := range vals {
		least, most = min(least, v), max(most, v)
	}
	return least, most, true
}

// doubleBounds follows the rules of the format: none with NaN, and a zero
// stands for both zeros.
func doubleBounds(vals []int64) (least, most int64, ok bool) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range vals {
		f := math.Float64frombits(uint64(v))
		if f != f {
			return 0, 0, false
		}
		if f < lo {
			lo = f
		}
		if f > hi {
			hi = f
		}
	}
	if lo == 0 {
		lo = math.Copysign(0, -1)
	}
	if hi == 0 {
		hi = 0
	}
	return int64(math.Float64bits(lo)), int64(math.Float64bits(hi)), true
}
