package column

import (
	"slices"
	"testing"
)

func TestColumnAppends(t *testing.T) {
	b := Batch{N: 4, Cols: []Column{{Name: "s"}, {Name: "i", Type: Type{ID: Int64}}, {Name: "d", Type: Type{ID: Double}}}}
	for i := range b.Cols {
		c := &b.Cols[i]
		c.Make(1)
		for range 2 {
			switch c.Type.Kind() {
			case KindBytes:
				c.AppendBytes([]byte("7"))
			case KindInt64:
				c.AppendInt(7)
			case KindDouble:
				c.AppendFloat(7)
			}
		}
		c.AppendNulls(1)
		if got, want := shown(c, nil), []string{"<null>", "7", "7", "<null>"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.Type, got, want)
		}
		if c.Reset(); c.Len() != 0 || c.Null != nil {
			t.Errorf("%s: %d rows after Reset", c.Type, c.Len())
		}
	}
	if b.Col("i") != &b.Cols[1] || b.Col("I") != nil {
		t.Error("Col does not go by the exact name")
	}
}

func TestParseType(t *testing.T) {
	for in, want := range map[string]string{"string": "string", " INT64 ": "int64", "double": "double", "boolean": "boolean", "timestamp": "timestamp",
		"date": "date", "json": "json", "decimal(12,2)": "decimal(12,2)", "decimal( 38 , 38 )": "decimal(38,38)", "decimal(5)": "decimal(5,0)"} {
		if got, err := ParseType(in); err != nil || got.String() != want {
			t.Errorf("ParseType(%q) = %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "text", "decimal", "decimal()", "decimal(0,0)", "decimal(39,0)", "decimal(5,6)", "decimal(5,-1)", "decimal(5,2", "decimal(a,b)"} {
		if got, err := ParseType(in); err == nil {
			t.Errorf("ParseType(%q) = %s, want an error", in, got)
		}
	}
}

func TestSetNull(t *testing.T) {
	for _, typ := range []Type{{ID: Int64}, {ID: Double}, {}} {
		c := Column{Type: typ}
		c.Reset()
		for range 3 {
			switch typ.Kind() {
			case KindInt64:
				c.AppendInt(7)
			case KindDouble:
				c.AppendFloat(7)
			default:
				c.AppendBytes([]byte("7"))
			}
		}
		c.SetNull(1)
		if c.Len() != 3 || c.IsNull(0) || !c.IsNull(1) || c.IsNull(2) {
			t.Errorf("%s: %+v", typ, c)
		}
	}
}

// A column is found wherever it is, from whatever place.
func TestColNear(t *testing.T) {
	b := Batch{Cols: []Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
	for place := -1; place < 10; place++ {
		for i, name := range []string{"a", "b", "c"} {
			if c, at := b.ColNear(name, place); c != &b.Cols[i] || at != i {
				t.Errorf("%s from %d on is at %d", name, place, at)
			}
		}
		if c, at := b.ColNear("d", place); c != nil || at != place {
			t.Errorf("what is not there is at %d", at)
		}
	}
	if c, _ := (&Batch{}).ColNear("a", 5); c != nil {
		t.Error("no columns have one")
	}
}
