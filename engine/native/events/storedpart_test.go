package events

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"reconcile/engine/rowfile"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/parquet"
	"reconcile/sinks"
)

// partly reads some rows of a row group, as sinks do.
type partly struct{ *rowfile.ObjectReader }

func (p partly) GroupBytes(group int, columns []column.Column) int64 {
	return p.Parquet.GroupBytes(group, columns)
}

func (p partly) Rows(_ context.Context, group int, rows []uint32, columns []column.Column, into *column.Batch) error {
	return p.Parquet.ReadRows(group, rows, columns, into)
}

// storedRowsFile is a file of row groups of so many rows.
func storedRowsFile(t *testing.T, l *rules.Layout, groups ...int) *rowfile.ObjectReader {
	t.Helper()
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, l.Columns, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := int64(0)
	for _, n := range groups {
		b := &column.Batch{N: n, Cols: l.NewColumns()}
		for i := range b.Cols {
			b.Cols[i].Reset()
		}
		for range n {
			key++
			for i := range b.Cols {
				switch c := &b.Cols[i]; {
				case i == l.Dump:
					c.AppendInt(key % 2)
				case c.Type.Kind() == column.KindInt64:
					c.AppendInt(key)
				case key%3 == 0:
					c.AppendNulls(1)
				default:
					c.AppendBytes(fmt.Appendf(nil, "%s %d", c.Name, key))
				}
			}
		}
		if err := w.WriteRowGroup(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return &rowfile.ObjectReader{Parquet: f, Want: l.Columns, Batches: f.Batches(l.Columns, 0)}
}

// storedLines reads all rows of a file, with what they carry, and counts the parts.
func storedLines(t *testing.T, f *storedForm, rd sinks.Reader) (lines []string, parts int) {
	t.Helper()
	r := partReader{form: f, rd: rd}
	overrides := map[int]rules.Verdict{3: rules.Drop, 601: rules.Shadow, 700: rules.Drop}
	for base := 0; ; parts++ {
		p, err := r.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			return lines, parts
		}
		ch, err := f.chunk(p, 5, overrides, base, rules.Publish)
		if err != nil {
			t.Fatal(err)
		}
		var cols []column.Column
		if ch.Encoded() {
			records := make([][]byte, len(ch.Rows))
			for i := range records {
				if records[i], err = ch.Record(i); err != nil {
					t.Fatal(err)
				}
			}
			var r rows.ValueReader
			b := column.Batch{Cols: slices.Clone(ch.Columns)}
			for i := range b.Cols {
				b.Cols[i].Reset()
			}
			if err := r.Append(&b, records); err != nil {
				t.Fatal(err)
			}
			cols = b.Cols
		} else {
			cols = f.layout.PayloadBatch(ch.Batch.Cols)
		}
		for i, row := range ch.Rows {
			line := fmt.Sprint(row.Part, row.Raw, row.Key, row.Ver, ch.Verdict(i))
			for k := range cols {
				line += fmt.Sprintf(" %s=%q", cols[k].Name, cols[k].Bytes(i))
			}
			lines = append(lines, line)
		}
		base += len(ch.Rows)
	}
}

// Stored rows are the same as batches and as records, whatever their file is read by.
func TestStoredForms(t *testing.T) {
	s := &rules.Schema{KeyName: feed.EventID, Payload: []rules.Column{{Name: "a", Type: column.StringType}, {Name: "b", Type: column.StringType}, {Name: feed.RescuedData, Type: column.StringType}}}
	l := s.Stored()
	batches := storedForm{layout: l, key: s.KeyName, rank: map[int64]int{0: 0, 1: 1}}
	records := batches
	records.records = l.PayloadBatch(l.Columns)
	inParts := records
	inParts.most = 1
	want, _ := storedLines(t, &batches, storedRowsFile(t, l, 600, 5, 300))
	if len(want) != 905 {
		t.Fatalf("%d rows", len(want))
	}
	for _, c := range []struct {
		name  string
		form  *storedForm
		rd    func(*rowfile.ObjectReader) sinks.Reader
		parts int
	}{
		{"row groups", &records, func(o *rowfile.ObjectReader) sinks.Reader { return o }, 3},
		{"parts of row groups", &inParts, func(o *rowfile.ObjectReader) sinks.Reader { return partly{o} }, 6},
		{"batches", &records, func(o *rowfile.ObjectReader) sinks.Reader { return struct{ sinks.Reader }{o} }, 3},
	} {
		got, parts := storedLines(t, c.form, c.rd(storedRowsFile(t, l, 600, 5, 300)))
		if !slices.Equal(got, want) || parts != c.parts {
			t.Errorf("%s: %d rows in %d parts instead of %d in %d, or others", c.name, len(got), parts, len(want), c.parts)
		}
	}
}
