package verify

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"

	"reconcile/internal/column"
)

// Values have one encoding by which they are compared: of equal values of a column it is
// equal. A null has none.

// appendValue appends the encoding of a value that is not null.
func appendValue(b []byte, c *column.Column, row int) []byte {
	switch c.Type.Kind() {
	case column.KindInt64:
		return binary.LittleEndian.AppendUint64(b, uint64(c.Ints[row]))
	case column.KindDouble:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Floats[row]))
	}
	return append(b, c.Bytes(row)...)
}

// setValue appends a value by its encoding to a column; null for nil.
func setValue(c *column.Column, v []byte) {
	switch kind := c.Type.Kind(); {
	case v == nil:
		c.AppendNulls(1)
	case kind == column.KindInt64:
		c.AppendInt(int64(binary.LittleEndian.Uint64(v)))
	case kind == column.KindDouble:
		c.AppendFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)))
	default:
		c.AppendBytes(v)
	}
}

// hasher tells rows apart by 64 bits of all of their values. It has a seed of its own, so
// that nobody can make rows that it takes for one another.
type hasher struct {
	seed  maphash.Seed
	codes []uint64 // of the values of a dictionary; 0 where it was not asked for
	buf   []byte
}

func (h *hasher) bytes(b []byte) uint64 { return maphash.Bytes(h.seed, b) | 1 }

// next combines the hash of a row so far with that of its next value.
func next(sum, value uint64) uint64 {
	return (bits.RotateLeft64(sum, 23) ^ value) * 0x9e3779b97f4a7c15
}

// column adds a column of a batch to the hashes of its rows.
func (h *hasher) column(c *column.Column, sums []uint64) {
	if c.Type.Kind() == column.KindBytes && c.Dict != nil {
		if n := c.Dict.Len(); cap(h.codes) < n {
			h.codes = make([]uint64, n)
		} else {
			h.codes = h.codes[:n]
			clear(h.codes)
		}
		for i := range sums {
			code := c.Codes[i]
			if code != 0 && h.codes[code] == 0 {
				h.codes[code] = h.bytes(c.Dict.Value(code))
			}
			v := uint64(0)
			if code != 0 {
				v = h.codes[code]
			}
			sums[i] = next(sums[i], v)
		}
		return
	}
	for i := range sums {
		v := uint64(0)
		if !c.IsNull(i) {
			h.buf = appendValue(h.buf[:0], c, i)
			v = h.bytes(h.buf)
		}
		sums[i] = next(sums[i], v)
	}
}

// shown is a value for people; nil for null.
func shown(c *column.Column, row int) *string {
	if c.IsNull(row) {
		return nil
	}
	const most = 200
	b := column.AppendText(nil, c, row)
	if len(b) > most {
		b = append(b[:most:most], "..."...)
	}
	s := string(b)
	return &s
}
