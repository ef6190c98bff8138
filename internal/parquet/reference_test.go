package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"reconcile/internal/column"
)

// TestReference reads our files with an independent reader.
func TestReference(t *testing.T) {
	cols := allTypes()
	for seed := range uint64(12) {
		r := seeded(100 + seed)
		o := Options{Compression: []string{"zstd", "snappy", "none"}[seed%3], PageRows: []int{0, 100}[seed%2]}
		batches := []*column.Batch{randomBatch(r, cols, 1500), randomBatch(r, cols, 1), randomBatch(r, cols, 77)}
		data := write(t, o, cols, batches...)
		f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for g, rg := range f.RowGroups() {
			for i, chunk := range rg.ColumnChunks() {
				c := &batches[g].Cols[i]
				if err := sameValues(chunk, c); err != nil {
					t.Fatalf("seed %d group %d column %s: %v", seed, g, c.Name, err)
				}
				if err := soundIndex(chunk, c); err != nil {
					t.Fatalf("seed %d group %d column %s: %v", seed, g, c.Name, err)
				}
			}
		}
	}
}

// eachPage calls do with the rows of every data page.
func eachPage(chunk pq.ColumnChunk, do func(page int, vals []pq.Value) error) error {
	pages := chunk.Pages()
	defer pages.Close()
	for i := 0; ; i++ {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		vals := make([]pq.Value, p.NumValues())
		if n, err := p.Values().ReadValues(vals); n != len(vals) {
			return fmt.Errorf("page %d: %d of %d values: %w", i, n, len(vals), err)
		}
		if err := do(i, vals); err != nil {
			return err
		}
		pq.Release(p)
	}
}

func sameValues(chunk pq.ColumnChunk, c *column.Column) error {
	row := 0
	err := eachPage(chunk, func(_ int, vals []pq.Value) error {
		for _, v := range vals {
			if row >= c.Len() {
				return fmt.Errorf("more than %d rows", row)
			}
			if !sameValue(v, c, row) {
				return fmt.Errorf("row %d is %v", row, v)
			}
			row++
		}
		return nil
	})
	if err == nil && row != c.Len() {
		err = fmt.Errorf("%d rows, want %d", row, c.Len())
	}
	return err
}

func sameValue(v pq.Value, c *column.Column, row int) bool {
	if v.IsNull() || c.IsNull(row) {
		return v.IsNull() == c.IsNull(row)
	}
	switch v.Kind() {
	case pq.Boolean:
		return v.Boolean() == (c.Ints[row] == 1)
	case pq.Int32:
		return int64(v.Int32()) == c.Ints[row]
	case pq.Int64:
		return v.Int64() == c.Ints[row]
	case pq.Double:
		return math.Float64bits(v.Double()) == math.Float64bits(c.Floats[row])
	}
	return bytes.Equal(v.ByteArray(), c.Bytes(row))
}

// soundIndex checks that every value lies within the bounds of its page and
// that the index tells the nulls and places of pages.
func soundIndex(chunk pq.ColumnChunk, c *column.Column) error {
	ci, err := chunk.ColumnIndex()
	if err != nil {
		return err
	}
	oi, err := chunk.OffsetIndex()
	if err != nil {
		return err
	}
	row := 0
	compare := chunk.Type().Compare
	if c.Type.Kind() == column.KindBytes && c.Type.ID == column.Decimal {
		// The reference compares these as unsigned.
		compare = func(a, b pq.Value) int { return compareSigned(a.ByteArray(), b.ByteArray()) }
	}
	err = eachPage(chunk, func(i int, vals []pq.Value) error {
		if oi.FirstRowIndex(i) != int64(row) {
			return fmt.Errorf("page %d begins at row %d, the index says %d", i, row, oi.FirstRowIndex(i))
		}
		nulls := int64(0)
		for _, v := range vals {
			row++
			if v.IsNull() {
				nulls++
				continue
			}
			if compare(v, ci.MinValue(i)) < 0 || compare(v, ci.MaxValue(i)) > 0 {
				return fmt.Errorf("page %d: %v is not in %v to %v", i, v, ci.MinValue(i), ci.MaxValue(i))
			}
		}
		if nulls != ci.NullCount(i) || (nulls == int64(len(vals))) != ci.NullPage(i) {
			return fmt.Errorf("page %d: %d nulls of %d, the index says %d, null page %t",
				i, nulls, len(vals), ci.NullCount(i), ci.NullPage(i))
		}
		return nil
	})
	if err == nil && oi.NumPages() != ci.NumPages() {
		err = fmt.Errorf("%d pages, %d in the column index", oi.NumPages(), ci.NumPages())
	}
	return err
}

// TestReadsForeign reads what the reference writer writes in our terms.
func TestReadsForeign(t *testing.T) {
	type row struct {
		S *string  `parquet:"s,optional,dict,zstd"`
		P string   `parquet:"p,plain,snappy"`
		I int64    `parquet:"i,delta"`
		D *float64 `parquet:"d,optional,plain"`
		B bool     `parquet:"b"`
		T int64    `parquet:"t,plain,timestamp(millisecond)"`
		E int32    `parquet:"e,date"`
	}
	var rows []row
	r := seeded(7)
	for i := range 3000 {
		x := row{P: fmt.Sprint("p", r.IntN(100)), B: i%3 == 0, T: int64(i) * 1000, E: int32(i % 50)}
		if i%5 > 0 {
			s, d := fmt.Sprint("s", i%7), float64(i)/8
			x.S, x.D, x.I = &s, &d, int64(i)*int64(i)
		}
		rows = append(rows, x)
	}
	var out bytes.Buffer
	w := pq.NewGenericWriter[row](&out, pq.DataPageVersion(1), pq.PageBufferSize(4000))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := open(t, out.Bytes())
	var got column.Batch
	if err := f.ReadRowGroup(0, nil, &got); err != nil {
		t.Fatal(err)
	}
	for i, x := range rows {
		if string(got.Col("p").Bytes(i)) != x.P || (got.Col("b").Ints[i] == 1) != x.B || got.Col("i").Ints[i] != x.I || got.Col("t").Ints[i] != x.T ||
			got.Col("e").Ints[i] != int64(x.E) || got.Col("s").IsNull(i) != (x.S == nil) {
			t.Fatalf("row %d differs", i)
		}
		if x.S != nil && (string(got.Col("s").Bytes(i)) != *x.S || got.Col("d").Floats[i] != *x.D) {
			t.Fatalf("row %d differs", i)
		}
	}
}
