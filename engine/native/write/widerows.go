package write

import (
	"bytes"
	"context"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// wideRows is the rows of a table with very many columns that wait for a row group, each as
// a record of the values of its columns: as batches, few rows would take many times as much.
// The row group is written a column at a time.
type wideRows struct {
	meta    []rules.Row
	records [][]byte // nil of those that wait to be decoded
	waiting []int    // these, in the order in which the gatherer has them
	bytes   int

	payload []string // names of the columns
	last    *column.Batch
	columns []*column.Column // of last
	ordered map[*column.Column]bool
	record  []byte
	reader  rows.ValueReader
	column  column.Column
}

// decodedPart is the part of a row group that may wait to be decoded.
const decodedPart = 4

func newWideRows(payload []rules.Column) *wideRows {
	w := &wideRows{payload: make([]string, len(payload)), ordered: map[*column.Column]bool{}}
	for i := range payload {
		w.payload[i] = payload[i].Name
	}
	return w
}

// full reports whether the rows are as many as a row group has, or as large.
func (w *wideRows) full(rows int, b exec.Budget) bool {
	return len(w.meta) >= rows || w.bytes >= b.FileRowGroup()
}

// add enters a row without its record, and returns its number.
func (w *wideRows) add(r *rules.Row) int {
	w.meta, w.records = append(w.meta, *r), append(w.records, nil)
	w.bytes += codeSize * len(w.payload)
	return len(w.meta) - 1
}

// set gives a row its record.
func (w *wideRows) set(row int, record []byte) {
	w.records[row] = record
	w.bytes += len(record)
}

// setValues gives a row the values of a row of a batch.
func (w *wideRows) setValues(row int, b *column.Batch, at int) {
	if b != w.last {
		w.last, w.columns = b, slices.Grow(w.columns[:0], len(w.payload))
		place := -1
		for _, name := range w.payload {
			var c *column.Column
			c, place = b.ColNear(name, place)
			w.columns = append(w.columns, c)
		}
	}
	w.record = w.record[:0]
	for _, c := range w.columns {
		w.record = rows.AppendValue(w.record, c, at)
	}
	w.set(row, bytes.Clone(w.record))
}

// has reports whether records with the values of columns are such as the rows have.
func (w *wideRows) has(columns []column.Column) bool {
	is, known := w.ordered[&columns[0]]
	if !known {
		is = slices.EqualFunc(columns, w.payload, func(c column.Column, name string) bool { return c.Name == name })
		w.ordered[&columns[0]] = is
	}
	return is
}

func (w *wideRows) reset() {
	clear(w.records)
	w.meta, w.records, w.waiting, w.bytes = w.meta[:0], w.records[:0], w.waiting[:0], 0
	w.last = nil
}

// addWide takes row i of a chunk of a table with very many columns.
func (a *RowGroupBuilder) addWide(ch *rows.Chunk, i int) error {
	w := a.wide
	switch {
	case !ch.Encoded():
		w.setValues(w.add(&ch.Rows[i]), ch.Batch, int(ch.Rows[i].At))
	case ch.Columns != nil && w.has(ch.Columns):
		ch, i, err := ch.ToKeep(i)
		if err != nil {
			return err
		}
		record, err := ch.Record(i)
		if err != nil {
			return err
		}
		w.set(w.add(&ch.Rows[i]), record)
	default:
		w.waiting = append(w.waiting, w.add(&ch.Rows[i]))
		if a.Gatherer.AddRow(ch, i); a.Bytes+a.Held >= a.budget.RowGroup()/decodedPart {
			return a.decodeWaiting()
		}
	}
	return nil
}

// decodeWaiting makes records of values of the rows that were delivered.
func (a *RowGroupBuilder) decodeWaiting() error {
	w := a.wide
	if err := a.Resolve(); err != nil {
		return err
	}
	w.last = nil // decoders use their batches again
	for k, row := range w.waiting {
		p := a.Selection[k]
		w.setValues(row, a.Sources[p.Src], int(p.Row))
	}
	w.waiting = w.waiting[:0]
	a.Reset()
	return nil
}

// flushWide writes the rows as a row group.
func (a *RowGroupBuilder) flushWide(ctx context.Context) error {
	w := a.wide
	if err := a.decodeWaiting(); err != nil {
		return err
	}
	l := a.useLayout()
	a.ids(w.meta, &a.own.Cols[l.User], &a.own.Cols[l.Key], &a.own.Cols[l.RawUser], &a.own.Cols[l.Dump])
	err := a.w.WriteColumns(ctx, len(w.meta), func(i int) (*column.Column, error) {
		if i == 0 {
			w.reader.Begin(w.records)
		}
		switch i {
		case l.User, l.Key, l.RawUser, l.Dump:
			return &a.own.Cols[i], nil
		}
		c := &w.column
		c.Name, c.Type = l.Columns[i].Name, l.Columns[i].Type
		c.Reset()
		return c, w.reader.Next(c)
	})
	w.column.Codes, w.column.Dict = nil, nil
	return err
}
