package rows

import (
	"encoding/binary"
	"errors"
	"math"

	"reconcile/internal/column"
	"reconcile/internal/wire"
)

// Rows whose columns are a batch wait in a scratch file column by column: whether each
// value is null, then what it is, a text behind its length. A text that is that of the row
// before is not written again.
const (
	nullValue  = iota // of a text
	sameText          // as that of the row before
	otherValue        // for a text, above it its length
)

// bytesOf is about how many bytes a row of a batch takes in a block.
func bytesOf(b *column.Batch, at int) int {
	size := 0
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Type.Kind() == column.KindBytes {
			size += 1 + len(c.Bytes(at))
		} else {
			size += 8
		}
	}
	return size
}

// appendColumns writes the columns of rows.
func appendColumns(dst []byte, cols []column.Column, picked []pick) []byte {
	for c := range cols {
		if cols[c].Type.Kind() == column.KindBytes {
			dst = appendTexts(dst, c, picked)
			continue
		}
		for i := range picked {
			col, at := &picked[i].batch.Cols[c], int(picked[i].row.At)
			switch {
			case col.IsNull(at):
				dst = append(dst, nullValue)
			case col.Type.Kind() == column.KindDouble:
				dst = binary.LittleEndian.AppendUint64(append(dst, otherValue), math.Float64bits(col.Floats[at]))
			default:
				dst = binary.AppendVarint(append(dst, otherValue), col.Ints[at])
			}
		}
	}
	return dst
}

func appendTexts(dst []byte, c int, picked []pick) []byte {
	for i := range picked {
		p := &picked[i]
		col, at := &p.batch.Cols[c], int(p.row.At)
		switch {
		case col.IsNull(at):
			dst = append(dst, nullValue)
		case i > 0 && picked[i-1].batch == p.batch && col.Codes[picked[i-1].row.At] == col.Codes[at]:
			dst = append(dst, sameText)
		default:
			v := col.Bytes(at)
			dst = append(binary.AppendUvarint(dst, uint64(len(v))+otherValue), v...)
		}
	}
	return dst
}

var errNotColumns = errors.New("these are not columns of rows")

// readColumns makes a batch of what appendColumns wrote of n rows.
func readColumns(block []byte, cols []column.Column, n int) (*column.Batch, error) {
	b := &column.Batch{N: n, Cols: make([]column.Column, len(cols))}
	r := wire.Reader{Rest: block}
	for c := range cols {
		col := &b.Cols[c]
		col.Name, col.Type = cols[c].Name, cols[c].Type
		if col.Type.Kind() == column.KindBytes {
			readTexts(&r, col, n)
		} else {
			readNumbers(&r, col, n)
		}
	}
	if r.Bad || len(r.Rest) > 0 {
		return nil, errNotColumns
	}
	return b, nil
}

func readTexts(r *wire.Reader, col *column.Column, n int) {
	col.Dict, col.Codes = column.NewPlainDict(), make([]uint32, 0, n)
	last := uint32(0)
	for range n {
		switch size := r.Uvarint(); size {
		case nullValue:
			last = 0
		case sameText:
		default:
			last = col.Dict.Add(r.Take(int(min(size-otherValue, math.MaxInt32))))
		}
		col.Codes = append(col.Codes, last)
	}
}

func readNumbers(r *wire.Reader, col *column.Column, n int) {
	double := col.Type.Kind() == column.KindDouble
	for range n {
		switch {
		case r.Uvarint() == nullValue:
			col.AppendNulls(1)
		case double:
			if v := r.Take(8); len(v) == 8 {
				col.AppendFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)))
			}
		default:
			col.AppendInt(r.Varint())
		}
	}
}
