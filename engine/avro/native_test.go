package avro

import (
	"slices"
	"strings"
	"testing"

	"reconcile/internal/column"
)

const nativeSchema = `{"type":"record","name":"r","fields":[
	{"name":"l","type":"long"},{"name":"nl","type":["null","long"]},{"name":"in","type":["int","null"]},
	{"name":"d","type":"double"},{"name":"nd","type":["null","double"]},{"name":"s","type":["null","string"]},
	{"name":"x","type":["null",{"type":"array","items":["null","string"]}]},{"name":"m","type":{"type":"map","values":"string"}}]}`

// nativeRows writes three rows with the value v and nulls in different places.
func nativeRows(v int64) (int, enc) {
	var e enc
	e = e.long(v).long(1).long(v).long(0).long(v).double(0.5).long(1).double(1.5).long(1).str("s").long(0).long(0)
	e = e.long(v).long(0).long(1).double(-0.5).long(0).long(0).long(1).long(1).long(1).str("i").long(0).long(-1).long(3).str("k").str("").long(0)
	e = e.long(v).long(1).long(-v).long(0).long(-v).double(0).long(1).double(2).long(1).str(strings.Repeat("y", 100)).long(1).long(0).long(0)
	return 3, e
}

func nativeHeader(t *testing.T) (*Header, *Decoder) {
	t.Helper()
	h, err := newHeader([]byte(nativeSchema), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := h.NewDecoder(testLimits)
	return h, d
}

// TestNative decodes two blocks into numbers and compares with the text.
func TestNative(t *testing.T) {
	h, d := nativeHeader(t)
	want, got := textColumns(h), textColumns(h)
	for i, f := range h.Fields() {
		switch f.Native {
		case Long:
			got[i] = &column.Column{Name: f.Name, Type: column.Type{ID: column.Int64}}
		case Double:
			got[i] = &column.Column{Name: f.Name, Type: column.Type{ID: column.Double}}
		}
	}
	for v := range int64(2) {
		count, data := nativeRows(v)
		for _, dst := range [][]*column.Column{want, got} {
			if err := d.Decode(&Block{Count: count, Data: data}, dst); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range want {
		if w, g := texts(want[i]), texts(got[i]); !slices.Equal(w, g) || len(g) != 6 {
			t.Errorf("%s: %q, as text %q", got[i].Name, g, w)
		}
	}
	if got[0].Null != nil || got[3].Null != nil {
		t.Error("columns without nulls have null marks")
	}
	if !slices.Equal(got[1].Ints, []int64{0, 0, 0, 1, 0, -1}) || !slices.Equal(got[1].Null, []bool{false, true, false, false, true, false}) {
		t.Errorf("nl: %v %v", got[1].Ints, got[1].Null)
	}
}

// TestSkip leaves out every subset of the columns; the others must not notice.
func TestSkip(t *testing.T) {
	h, d := nativeHeader(t)
	count, data := nativeRows(1000)
	all := textColumns(h)
	if err := d.Decode(&Block{Count: count, Data: data}, all); err != nil {
		t.Fatal(err)
	}
	for set := range 1 << len(all) {
		dst := textColumns(h)
		for i := range dst {
			if set>>i&1 == 1 {
				dst[i] = nil
			}
		}
		if err := d.Decode(&Block{Count: count, Data: data}, dst); err != nil {
			t.Fatalf("%b: %v", set, err)
		}
		for i, c := range dst {
			if c != nil && !slices.Equal(texts(c), texts(all[i])) {
				t.Errorf("%b: %s is %q", set, c.Name, texts(c))
			}
		}
	}
}

// TestSkipTypes skips each value that TestText reads, and each of its cuts.
func TestSkipTypes(t *testing.T) {
	for _, c := range textCases {
		h, err := newHeader([]byte(record(c.typ)), nil)
		if err != nil {
			t.Fatal(err)
		}
		d := h.NewDecoder(testLimits)
		for n := range len(c.value) + 1 {
			err := d.Decode(&Block{Count: 1, Data: c.value[:n]}, []*column.Column{nil})
			if whole := n == len(c.value); whole != (err == nil) || !whole && !isDamage(err) {
				t.Errorf("%s: %d of %d bytes: %v", c.name, n, len(c.value), err)
			}
		}
	}
}

func TestWrongColumns(t *testing.T) {
	h, d := nativeHeader(t)
	count, data := nativeRows(1)
	b := &Block{Count: count, Data: data}
	if err := d.Decode(b, textColumns(h)[1:]); err == nil || isDamage(err) {
		t.Errorf("too few columns: %v", err)
	}
	for field, id := range map[int]column.TypeID{5: column.Int64, 6: column.Double, 0: column.Double, 3: column.Int64, 1: column.Boolean, 2: column.JSON} {
		dst := textColumns(h)
		dst[field].Type.ID = id
		if err := d.Decode(b, dst); err == nil || isDamage(err) || !strings.Contains(err.Error(), h.Fields()[field].Name) {
			t.Errorf("field %d into %v: %v", field, dst[field].Type, err)
		}
	}
	if err := d.Decode(b, textColumns(h)); err != nil {
		t.Errorf("after errors: %v", err)
	}
}

// TestErrorsNameThePlace checks what a person is told.
func TestErrorsNameThePlace(t *testing.T) {
	h, d := nativeHeader(t)
	_, data := nativeRows(1)
	data[len(data)-3] = 0x7f
	err := d.Decode(&Block{Index: 4, Offset: 1234, Count: 3, Data: data}, textColumns(h))
	for _, want := range []string{"block 4", "byte 1234", "row 2", `field "x"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

// TestAllocations holds the row path to no allocation a row.
func TestAllocations(t *testing.T) {
	const rows = 5000
	h, err := newHeader([]byte(eventSchema(34)), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := h.NewDecoder(testLimits)
	dst := textColumns(h)
	dst[1].Type.ID = column.Int64
	b := &Block{Count: rows, Data: eventRows(rows, 34, 1)}
	allocs := testing.AllocsPerRun(5, func() {
		for _, c := range dst {
			c.Reset()
		}
		if err := d.Decode(b, dst); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > rows/100 {
		t.Errorf("%v allocations for %d rows", allocs, rows)
	}
}
