package parquet

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	maxBound      = 256 // bytes of text in the statistics of a chunk; none when it takes more
	maxIndexBound = 64  // bytes of text in a column index; longer bounds are cut
)

// columnIndex is the page statistics of a chunk and what follows from them.
type columnIndex struct {
	data []byte // the column index in Thrift, empty when there is none
	// min and max are the bounds of the whole chunk, nil when unknown.
	min, max []byte
	nulls    int64

	buf    bytes.Buffer
	thrift *thrift.Encoder
	index  format.ColumnIndex
	arena  []byte
}

// build takes the pages of the chunk that e has encoded.
func (x *columnIndex) build(e *encoder) error {
	pages := e.out.pages
	x.min, x.max, x.nulls = nil, nil, 0
	x.data, x.arena = x.data[:0], x.arena[:0]
	least, most, complete := -1, -1, true
	for i := range pages {
		p := &pages[i]
		x.nulls += int64(p.nulls)
		if !p.bounded {
			complete = complete && p.nulls == p.rows
			continue
		}
		if least < 0 || e.lessPage(p, &pages[least], false) {
			least = i
		}
		if most < 0 || e.lessPage(&pages[most], p, true) {
			most = i
		}
	}
	if !complete {
		return nil // a page without bounds for its values: a NaN
	}
	if least >= 0 {
		x.chunkBounds(e, &pages[least], &pages[most])
	}
	return x.encode(e)
}

// lessPage compares the least values of two pages, or the greatest.
func (e *encoder) lessPage(a, b *page, greatest bool) bool {
	an, bn, av, bv := a.minN, b.minN, a.min, b.min
	if greatest {
		an, bn, av, bv = a.maxN, b.maxN, a.max, b.max
	}
	switch e.out.typ {
	case format.FixedLenByteArray:
		return compareSigned(av, bv) < 0
	case format.ByteArray:
		return bytes.Compare(av, bv) < 0
	case format.Double:
		return math.Float64frombits(uint64(an)) < math.Float64frombits(uint64(bn))
	}
	return an < bn
}

// compareSigned compares two's complement numbers of one width.
func compareSigned(a, b []byte) int {
	if (a[0]^b[0])&0x80 != 0 {
		return int(b[0]>>7) - int(a[0]>>7)
	}
	return bytes.Compare(a, b)
}

func (x *columnIndex) chunkBounds(e *encoder, least, most *page) {
	if len(least.min) > maxBound || len(most.max) > maxBound {
		return // a cut bound would be taken for a value
	}
	x.min = appendBound(make([]byte, 0, 8), e.out.typ, least.min, least.minN)
	x.max = appendBound(make([]byte, 0, 8), e.out.typ, most.max, most.maxN)
}

// appendBound appends a value as statistics hold it.
func appendBound(dst []byte, typ format.Type, v []byte, n int64) []byte {
	switch typ {
	case format.Boolean:
		return append(dst, byte(n))
	case format.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(n))
	case format.Int64, format.Double:
		return binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, v...)
}

// encode writes the column index into x.data.
func (x *columnIndex) encode(e *encoder) error {
	ci := &x.index
	ci.NullPages, ci.NullCounts = ci.NullPages[:0], ci.NullCounts[:0]
	ci.MinValues, ci.MaxValues = ci.MinValues[:0], ci.MaxValues[:0]
	for i := range e.out.pages {
		p := &e.out.pages[i]
		ci.NullPages = append(ci.NullPages, !p.bounded)
		ci.NullCounts = append(ci.NullCounts, int64(p.nulls))
		lo, hi, ok := x.pageBounds(e, p)
		if !ok {
			return nil
		}
		ci.MinValues = append(ci.MinValues, lo)
		ci.MaxValues = append(ci.MaxValues, hi)
	}
	ci.BoundaryOrder = e.order()
	if x.thrift == nil {
		x.thrift = newThriftEncoder(&x.buf)
	}
	x.buf.Reset()
	err := x.thrift.Encode(ci)
	x.data = append(x.data, x.buf.Bytes()...)
	return err
}

// pageBounds returns the bounds of a page as the index holds them, text cut to
// a size. ok is false when that is impossible.
func (x *columnIndex) pageBounds(e *encoder, p *page) (lo, hi []byte, ok bool) {
	if !p.bounded {
		return []byte{}, []byte{}, true
	}
	at := len(x.arena)
	x.arena = appendBound(x.arena, e.out.typ, cutDown(p.min), p.minN)
	mid := len(x.arena)
	max, ok := x.cutUp(p.max)
	if !ok {
		return nil, nil, false
	}
	x.arena = appendBound(x.arena, e.out.typ, max, p.maxN)
	return x.arena[at:mid:mid], x.arena[mid:len(x.arena):len(x.arena)], true
}

// cutDown returns a text that is not greater than v and not long, without
// parting a character.
func cutDown(v []byte) []byte {
	if len(v) <= maxIndexBound {
		return v
	}
	n := maxIndexBound
	for n > maxIndexBound-utf8.UTFMax && !utf8.RuneStart(v[n]) {
		n--
	}
	return v[:n]
}

// cutUp returns a text that is not less than v and not long: a prefix with its
// last character replaced by the next one.
func (x *columnIndex) cutUp(v []byte) ([]byte, bool) {
	if len(v) <= maxIndexBound {
		return v, true
	}
	v = cutDown(v)
	if !utf8.Valid(v) {
		return nil, false
	}
	for len(v) > 0 {
		r, n := utf8.DecodeLastRune(v)
		v = v[:len(v)-n]
		if r++; r == 0xD800 {
			r = 0xE000 // surrogates are no characters
		}
		if r <= utf8.MaxRune {
			return utf8.AppendRune(v[:len(v):len(v)], r), true
		}
	}
	return nil, false
}

// order tells whether the bounds of the pages are sorted.
func (e *encoder) order() format.BoundaryOrder {
	up, down := true, true
	var prev *page
	for i := range e.out.pages {
		p := &e.out.pages[i]
		if !p.bounded {
			continue
		}
		if prev != nil {
			up = up && !e.lessPage(p, prev, false) && !e.lessPage(p, prev, true)
			down = down && !e.lessPage(prev, p, false) && !e.lessPage(prev, p, true)
		}
		prev = p
	}
	switch {
	case up:
		return format.Ascending
	case down:
		return format.Descending
	}
	return format.Unordered
}
