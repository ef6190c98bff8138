package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"reconcile/internal/column"
	"reconcile/internal/wire"
)

// A row whose columns are a batch is also a record: the values of its columns, one behind
// the other. It takes a byte for each that is null, where a batch of few rows takes
// hundreds for each column.
const (
	nullValue  = iota
	otherValue // of a text, above it its length
)

// AppendValue appends the value of a row of a column, null for none, to a record.
func AppendValue(record []byte, c *column.Column, at int) []byte {
	if c == nil || c.IsNull(at) {
		return append(record, nullValue)
	}
	switch c.Type.Kind() {
	case column.KindBytes:
		v := c.Bytes(at)
		return append(binary.AppendUvarint(record, uint64(len(v))+otherValue), v...)
	case column.KindDouble:
		return binary.LittleEndian.AppendUint64(append(record, otherValue), math.Float64bits(c.Floats[at]))
	}
	return binary.AppendVarint(append(record, otherValue), c.Ints[at])
}

func appendValues(record []byte, b *column.Batch, at int) []byte {
	for i := range b.Cols {
		record = AppendValue(record, &b.Cols[i], at)
	}
	return record
}

var errNotValues = errors.New("a record does not have the values of its columns")

// ValueReader reads records of values, a column of all of them at a time.
type ValueReader struct{ rest [][]byte }

// Begin begins with the first column of records.
func (r *ValueReader) Begin(records [][]byte) { r.rest = append(r.rest[:0], records...) }

// Next appends the next column to one of its type.
func (r *ValueReader) Next(c *column.Column) error {
	kind := c.Type.Kind()
	for i := range r.rest {
		w := wire.Reader{Rest: r.rest[i]}
		switch size := w.Uvarint(); {
		case size == nullValue && kind == column.KindBytes:
			c.Codes = append(c.Codes, 0)
		case size == nullValue:
			c.AppendNulls(1)
		case kind == column.KindBytes:
			appendText(c, w.Take(int(min(size-otherValue, math.MaxInt32))))
		case kind == column.KindDouble:
			if v := w.Take(8); len(v) == 8 {
				c.AppendFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)))
			}
		default:
			c.AppendInt(w.Varint())
		}
		if w.Bad {
			return errNotValues
		}
		r.rest[i] = w.Rest
	}
	return nil
}

// appendText looks a text up only if it is not that of the row before, as most texts of one
// user are.
func appendText(c *column.Column, text []byte) {
	if n := len(c.Codes); n > 0 && c.Codes[n-1] != 0 && bytes.Equal(c.Bytes(n-1), text) {
		c.Codes = append(c.Codes, c.Codes[n-1])
		return
	}
	c.AppendBytes(text)
}

// End reports that there is more than was read.
func (r *ValueReader) End() error {
	for _, rest := range r.rest {
		if len(rest) > 0 {
			return errNotValues
		}
	}
	return nil
}

// Append appends rows to a batch: records of the values of its columns.
func (r *ValueReader) Append(b *column.Batch, records [][]byte) error {
	r.Begin(records)
	defer func() { clear(r.rest) }()
	for i := range b.Cols {
		if err := r.Next(&b.Cols[i]); err != nil {
			return err
		}
	}
	b.N += len(records)
	return r.End()
}
