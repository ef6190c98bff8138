package rows

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A record has the values of all columns of a row, and shares no memory with them.
func TestValues(t *testing.T) {
	const n = 20
	b := payload(n)
	var records [][]byte
	var want []string
	for i := range n {
		records, want = append(records, appendValues(nil, b, i)), append(want, line(b, uint32(i)))
	}
	got, err := ReadValues(types, records)
	if err != nil {
		t.Fatal(err)
	}
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
	b, err := ReadValues(types[:1], [][]byte{AppendValue(nil, nil, 3)})
	if err != nil {
		t.Fatal(err)
	}
	if !b.Cols[0].IsNull(0) {
		t.Error("the value is not null")
	}
}

// Records that are shorter or longer than their columns are none, and no panic.
func TestDamagedValues(t *testing.T) {
	b := payload(8)
	for row := range 8 {
		record := appendValues(nil, b, row)
		if _, err := ReadValues(types, [][]byte{record}); err != nil {
			t.Fatal(err)
		}
		damaged := map[string][]byte{"a byte too long": append(slices.Clone(record), 0)}
		for n := range record {
			damaged[fmt.Sprintf("%d of %d bytes", n, len(record))] = record[:n]
		}
		for name, d := range damaged {
			if _, err := ReadValues(types, [][]byte{d}); !errors.Is(err, errNotValues) {
				t.Errorf("row %d, %s: %v", row, name, err)
			}
		}
	}
}
