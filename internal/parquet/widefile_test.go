package parquet

import (
	"bytes"
	"fmt"
	"testing"

	"reconcile/internal/column"
)

// wideBatches are columns of which some are null, so that a footer is long.
func wideBatches(columns, groups int) ([]column.Column, []*column.Batch) {
	cols := make([]column.Column, columns)
	for i := range cols {
		cols[i] = column.Column{Name: fmt.Sprintf("column_%d", i), Type: column.StringType}
	}
	var out []*column.Batch
	for g := range groups {
		b := &column.Batch{N: 3, Cols: make([]column.Column, columns)}
		for i := range cols {
			c := &b.Cols[i]
			c.Name, c.Type = cols[i].Name, cols[i].Type
			c.Make(b.N)
			if i%7 != g%7 {
				c.Codes[1] = c.Dict.Add(fmt.Appendf(nil, "text %d of %d", i, g))
			}
		}
		out = append(out, b)
	}
	return cols, out
}

// A footer of several times what is read of it at once.
func TestWideFile(t *testing.T) {
	cols, want := wideBatches(8000, 5)
	data := write(t, Options{}, cols, want...)
	f := open(t, data)
	if !f.wide {
		t.Fatalf("a file of %d bytes is not wide", len(data))
	}
	got, err := readAllOf(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := same(got, want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(copiedFile(t, cols, f), data) {
		t.Error("a wide file that is copied is another one")
	}
}

// What is copied from a wide file is what is copied from another one.
func TestCopiesOfWideFiles(t *testing.T) {
	data, _ := smallFile(t, "zstd")
	wide, err := openFrom(bytes.NewReader(data), int64(len(data)), 0)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, data)
	if !bytes.Equal(copiedFile(t, f.Columns(), wide), copiedFile(t, f.Columns(), f)) {
		t.Error("a wide file is copied in another way")
	}
}

func copiedFile(t *testing.T, cols []column.Column, f *File) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for g := range f.RowGroups() {
		if err := w.CopyRowGroup(f, g, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
