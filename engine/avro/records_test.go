package avro

import (
	"math/rand/v2"
	"slices"
	"testing"

	"reconcile/internal/column"
)

// Records that Locate found decode to the same values in any choice and order,
// as often as one likes.
func TestDecodeRecords(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[
		{"name":"a","type":["null","string"]},{"name":"b","type":"long"},
		{"name":"c","type":{"type":"array","items":"string"}},{"name":"d","type":["null","double","boolean"]}]}`
	const n = 50
	r := rand.New(rand.NewPCG(1, 1))
	block := enc{}
	for i := range n {
		switch {
		case i%4 == 0:
			block = block.long(0)
		default:
			block = block.long(1).str(string(rune('a' + i/5)))
		}
		block = block.long(int64(i * 1_000_003)).long(1).str("x").long(0)
		switch i % 3 {
		case 0:
			block = block.long(0)
		default:
			block = append(block.long(2), byte(i%2))
		}
	}
	head, err := newHeader([]byte(schema), nil)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := head.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	columns := func() []*column.Column {
		out := make([]*column.Column, 4)
		for i := range out {
			out[i] = &column.Column{}
			out[i].Reset()
		}
		return out
	}
	whole := columns()
	recs, err := dec.Locate(&Block{Count: n, Data: block}, whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	var order []int
	var records [][]byte
	for range 3 * n {
		i := r.IntN(n)
		order, records = append(order, i), append(records, slices.Clone(recs.Record(i)))
	}
	some := columns()
	if err := dec.DecodeRecords(records, some); err != nil {
		t.Fatal(err)
	}
	for f := range whole {
		all, got := texts(whole[f]), texts(some[f])
		for k, i := range order {
			if got[k] != all[i] || some[f].IsNull(k) != whole[f].IsNull(i) {
				t.Fatalf("field %d of record %d is %q, want %q", f, i, got[k], all[i])
			}
		}
	}
	last := &records[len(records)-1]
	for name, bad := range map[string][]byte{"cut": (*last)[:len(*last)-1], "too long": append(*last, 0), "empty": nil} {
		*last = bad
		if err := dec.DecodeRecords(records, columns()); err == nil {
			t.Errorf("a record that is %s was decoded", name)
		}
	}
}

// Checked names the fields in which decoding finds what skipping does not.
func TestChecked(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[{"name":"a","type":["null","string"]},{"name":"b","type":{"type":"map","values":"int"}},
		{"name":"c","type":["null",{"type":"array","items":"int"}]},{"name":"d","type":["null","int",{"type":"array","items":"int"}]},
		{"name":"e","type":{"type":"bytes","logicalType":"decimal","precision":4}},{"name":"f","type":{"type":"enum","name":"e","symbols":["A"]}},
		{"name":"g","type":"boolean"}]}`
	head, err := newHeader([]byte(schema), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, true, true, true, false, false} {
		if f := head.Fields()[i]; f.Checked != want {
			t.Errorf("field %s: checked %v", f.Name, f.Checked)
		}
	}
}
