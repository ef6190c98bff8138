package rows

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"reconcile/internal/column"
)

// emptyOf is a batch without rows.
func emptyOf(cols []column.Column) *column.Batch {
	b := &column.Batch{Cols: make([]column.Column, len(cols))}
	for i := range cols {
		b.Cols[i].Name, b.Cols[i].Type = cols[i].Name, cols[i].Type
		b.Cols[i].Reset()
	}
	return b
}

// readValues makes a batch of records.
func readValues(t *testing.T, cols []column.Column, records ...[]byte) *column.Batch {
	t.Helper()
	var r ValueReader
	b := emptyOf(cols)
	if err := r.Append(b, records); err != nil {
		t.Fatal(err)
	}
	return b
}

// Records come behind the rows that a batch has.
func TestAppendedValues(t *testing.T) {
	const n = 20
	b := payload(n)
	var r ValueReader
	into := emptyOf(types)
	for i, step := 0, 1; i < n; i, step = i+step, step+1 {
		var records [][]byte
		for k := i; k < min(i+step, n); k++ {
			records = append(records, appendValues(nil, b, k))
		}
		if err := r.Append(into, records); err != nil {
			t.Fatal(err)
		}
	}
	if into.N != n {
		t.Fatalf("%d rows", into.N)
	}
	for i := range n {
		if got, want := line(into, uint32(i)), line(b, uint32(i)); got != want {
			t.Errorf("row %d: %s instead of %s", i, got, want)
		}
	}
}

// A record has the values of all columns of a row, and shares no memory with them.
func TestValues(t *testing.T) {
	const n = 20
	b := payload(n)
	var records [][]byte
	var want []string
	for i := range n {
		records, want = append(records, appendValues(nil, b, i)), append(want, line(b, uint32(i)))
	}
	got := readValues(t, types, records...)
	for _, record := range records {
		clear(record)
	}
	for i := range n {
		if text := line(got, uint32(i)); text != want[i] {
			t.Errorf("row %d: %s instead of %s", i, text, want[i])
		}
	}
}

// A column that a row lacks is null.
func TestValueOfNoColumn(t *testing.T) {
	b := readValues(t, types[:1], AppendValue(nil, nil, 3))
	if !b.Cols[0].IsNull(0) {
		t.Error("the value is not null")
	}
}

// Records that are shorter or longer than their columns are none, and no panic.
func TestDamagedValues(t *testing.T) {
	b := payload(8)
	for row := range 8 {
		record := appendValues(nil, b, row)
		readValues(t, types, record)
		damaged := map[string][]byte{"a byte too long": append(slices.Clone(record), 0)}
		for n := range record {
			damaged[fmt.Sprintf("%d of %d bytes", n, len(record))] = record[:n]
		}
		for name, d := range damaged {
			var r ValueReader
			if err := r.Append(emptyOf(types), [][]byte{d}); !errors.Is(err, errNotValues) {
				t.Errorf("row %d, %s: %v", row, name, err)
			}
		}
	}
}
