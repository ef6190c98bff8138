package parquet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// Reading some rows of a row group: pages without any are passed over, and of the
// texts of the others only those of these rows are copied. It gives what reading
// all rows and selecting from them gives, but checks only what it comes by.

// ReadRows is ReadRowGroup for some rows, which are ascending, each once.
func (f *File) ReadRows(group int, rows []uint32, want []column.Column, dst *column.Batch) error {
	if n := len(rows); n > 0 && group >= 0 && group < f.RowGroups() && int(rows[n-1]) >= f.GroupRows(group) {
		return fmt.Errorf("row %d of row group %d, which has %d", rows[n-1], group, f.GroupRows(group))
	}
	if rows == nil {
		rows = []uint32{}
	}
	return f.readRows(group, rows, want, dst)
}

// rowSelector is memory for selecting rows of a page, or entries of a dictionary page.
type rowSelector struct {
	at    []int32  // of a row of the page that is selected: which of the values it has, -1 for null
	null  []bool   // of such a row
	dict  []byte   // a dictionary page of texts
	texts [][]byte // its entries
}

// splitDict notes where the entries of a dictionary page of texts are. None of them
// is in the column's dictionary yet.
func (d *columnReader) splitDict(page []byte) error {
	p := &d.r.selector
	p.dict = append(p.dict[:0], page...)
	p.texts = roomOf(p.texts, d.entries)
	clear(d.r.codes)
	rest := p.dict
	for i := range p.texts {
		var err error
		if p.texts[i], rest, err = d.cutText(rest); err != nil {
			return err
		}
	}
	if len(rest) != 0 {
		return errPlain
	}
	return nil
}

// cutText splits a plain value off.
func (d *columnReader) cutText(src []byte) (v, rest []byte, err error) {
	n := uint64(decimalBytes)
	if d.m.Type != format.FixedLenByteArray {
		if len(src) < 4 {
			return nil, nil, errPlain
		}
		n, src = uint64(binary.LittleEndian.Uint32(src)), src[4:]
	}
	if n > uint64(len(src)) {
		return nil, nil, errPlain
	}
	return src[:n], src[n:], nil
}

// selectedIn returns how many of the next n rows are selected.
func (d *columnReader) selectedIn(n int) int {
	k := 0
	for k < len(d.selection) && int(d.selection[k]) < d.done+n {
		k++
	}
	return k
}

// skipUnselected passes over a page of n rows if none of them is selected.
func (d *columnReader) skipUnselected(n int) bool {
	if n <= 0 || n > d.rows-d.done || d.selectedIn(n) > 0 {
		return false
	}
	d.done += n
	return true
}

// selectedValues finds out which values of a page the first k selected rows have.
func (d *columnReader) selectedValues(k int, null []bool) (at []int32, nulls []bool) {
	p := &d.r.selector
	p.at = roomOf(p.at, k)
	if null == nil {
		for i, row := range d.selection[:k] {
			p.at[i] = int32(int(row) - d.done)
		}
		return p.at, nil
	}
	p.null = roomOf(p.null, k)
	row, values := 0, int32(0)
	for i, pick := range d.selection[:k] {
		for ; row < int(pick)-d.done; row++ {
			values += 1 - int32(bit(null[row]))
		}
		if p.at[i], p.null[i] = values, null[row]; null[row] {
			p.at[i] = -1
		}
	}
	return p.at, p.null
}

// decodeSelected decodes the first k selected rows, all of the page. present of its rows have
// values.
func (d *columnReader) decodeSelected(k int, null []bool, present int, enc format.Encoding, page []byte) error {
	at, nulls := d.selectedValues(k, null)
	if d.c.Type.Kind() == column.KindBytes {
		return d.decodeSelectedTexts(d.c.Codes[d.out:d.out+k], at, present, enc, page)
	}
	d.r.vals = roomOf(d.r.vals, present)
	if err := d.values(d.r.vals, enc, page); err != nil {
		return err
	}
	d.markNulls(k, nulls)
	for i, from := range at {
		v := int64(0)
		if from >= 0 {
			v = d.r.vals[from]
		}
		if d.c.Type.Kind() == column.KindInt64 {
			d.c.Ints[d.out+i] = v
		} else {
			d.c.Floats[d.out+i] = math.Float64frombits(uint64(v))
		}
	}
	return nil
}

func (d *columnReader) decodeSelectedTexts(codes []uint32, at []int32, present int, enc format.Encoding, page []byte) error {
	switch enc {
	case format.Plain:
		return d.decodeSelectedPlain(codes, at, present, page)
	case format.RLEDictionary, oldDictionary:
	default:
		return fmt.Errorf("encoding %s is not supported", enc)
	}
	ids, err := d.indexes(page, present)
	if err != nil {
		return err
	}
	byID := d.r.codes[:d.entries]
	for i, from := range at {
		codes[i] = 0
		if from < 0 {
			continue
		}
		id := ids[from]
		if int(id) >= len(byID) {
			return errIndex
		}
		if byID[id] == 0 {
			byID[id] = d.c.Dict.Add(d.r.selector.texts[id])
		}
		codes[i] = byID[id]
	}
	return nil
}

// decodeSelectedPlain walks over the plain texts of a page.
func (d *columnReader) decodeSelectedPlain(codes []uint32, at []int32, present int, page []byte) error {
	i := 0
	for k := range int32(present) {
		v, rest, err := d.cutText(page)
		if err != nil {
			return err
		}
		for ; i < len(at) && at[i] < 0; i++ {
			codes[i] = 0
		}
		if i < len(at) && at[i] == k {
			codes[i] = d.c.Dict.Add(v)
			i++
		}
		page = rest
	}
	if len(page) != 0 {
		return errPlain
	}
	clear(codes[i:])
	return nil
}
