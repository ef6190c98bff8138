package parquet

import (
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// someRows returns every step-th row of n.
func someRows(n, step int) []uint32 {
	var rows []uint32
	for i := step / 2; i < n; i += step {
		rows = append(rows, uint32(i))
	}
	return rows
}

// selectedRows copies rows of a batch.
func selectedRows(b *column.Batch, rows []uint32) *column.Batch {
	var g column.Gatherer
	selection := make([]column.SourceRow, len(rows))
	for i, row := range rows {
		selection[i].Row = row
	}
	out := &column.Batch{N: len(rows), Cols: make([]column.Column, len(b.Cols))}
	for i := range b.Cols {
		out.Cols[i] = column.Column{Name: b.Cols[i].Name, Type: b.Cols[i].Type}
		g.Column(&out.Cols[i], []*column.Column{&b.Cols[i]}, selection)
	}
	return out
}

func TestReadRows(t *testing.T) {
	cols := allTypes()
	var got column.Batch // its memory is used again and again
	for seed := range uint64(40) {
		r := seeded(700 + seed)
		b := randomBatch(r, cols, []int{1, 9, 100, 1000, 5000}[seed%5])
		f := open(t, write(t, Options{PageRows: []int{0, 1000, 13, 64}[seed%4]}, cols, b))
		var few []uint32
		for i := range b.N {
			if r.IntN(20) == 0 {
				few = append(few, uint32(i))
			}
		}
		for _, rows := range [][]uint32{nil, few, someRows(b.N, 1), someRows(b.N, 2), someRows(b.N, 700), {uint32(b.N - 1)}} {
			if err := f.ReadRows(0, rows, nil, &got); err != nil {
				t.Fatal(err)
			}
			checkBatch(t, &got, selectedRows(b, rows))
		}
	}
}

// TestReadRowsCopiesNoMore has texts of which few rows are wanted: the dictionary holds
// theirs and no others.
func TestReadRowsCopiesNoMore(t *testing.T) {
	var few, all []string
	for i := range 60 {
		few, all = append(few, fmt.Sprint("one of ten: ", i%10)), append(all, fmt.Sprint("one of many: ", i))
	}
	b := batch(textCol("few", few...), textCol("all", all...))
	f := open(t, write(t, Options{}, b.Cols, b))
	if m := f.groups[0].columns; encodingOf(&m[0].MetaData) != format.RLEDictionary || encodingOf(&m[1].MetaData) != format.Plain {
		t.Fatal("the encodings are not those that this is about")
	}
	var got column.Batch
	rows := []uint32{2, 12, 13}
	if err := f.ReadRows(0, rows, nil, &got); err != nil {
		t.Fatal(err)
	}
	checkBatch(t, &got, selectedRows(b, rows))
	if few, all := got.Cols[0].Dict.Len()-1, got.Cols[1].Dict.Len()-1; few != 2 || all != 3 {
		t.Errorf("%d and %d texts were copied, want 2 and 3", few, all)
	}
}

func TestReadRowsRefuses(t *testing.T) {
	b := batch(textCol("a", "x", "y"))
	f := open(t, write(t, Options{}, b.Cols, b))
	var got column.Batch
	if err := f.ReadRows(0, []uint32{0, 2}, nil, &got); err == nil {
		t.Error("row 2 of 2 was read")
	}
	if err := f.ReadRows(1, nil, nil, &got); err == nil {
		t.Error("a row group that is not there was read")
	}
	if err := f.ReadRows(0, []uint32{1}, nil, &got); err != nil || got.N != 1 {
		t.Error(got.N, err)
	}
}
