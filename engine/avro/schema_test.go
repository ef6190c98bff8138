package avro

import (
	"strconv"
	"strings"
	"testing"

	"reconcile/internal/column"
)

func TestFields(t *testing.T) {
	schema := `{"type":"record","name":"r","fields":[
		{"name":"a","type":"long"},{"name":"A","type":["null","int"]},{"name":"b","type":["double","null"]},
		{"name":"c","type":"float"},{"name":"d","type":["long"]},{"name":"e","type":["null","int","long"]},
		{"name":"f","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"g","type":{"type":"long","logicalType":"new"}},
		{"name":"h","type":"null"},{"name":"i","type":{"type":{"type":"int"}}},{"name":"j","type":"string"},
		{"name":"k","type":["null","float","double"]},{"name":"l","type":["long","double"]}]}`
	h, err := newHeader([]byte(schema), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{{"a", Long, false, false}, {"A", Long, false, false}, {"b", Double, true, false}, {"c", Text, true, false}, {"d", Long, false, false}, {"e", Text, false, false},
		{"f", Text, true, false}, {"g", Long, false, false}, {"h", Text, false, false}, {"i", Long, false, false}, {"j", Text, false, false}, {"k", Text, true, false}, {"l", Text, true, false}}
	got := h.Fields()
	if len(got) != len(want) {
		t.Fatalf("fields %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %v, want %v", got[i], want[i])
		}
	}
}

// TestNames resolves references the way that Avro's namespaces ask for.
func TestNames(t *testing.T) {
	for name, schema := range map[string]string{
		"short name in a namespace": `{"type":"record","name":"r","namespace":"a.b","fields":[
			{"name":"x","type":{"type":"enum","name":"e","symbols":["S"]}},{"name":"y","type":"e"}]}`,
		"full name": `{"type":"record","name":"r","namespace":"a.b","fields":[
			{"name":"x","type":{"type":"enum","name":"c.e","symbols":["S"]}},{"name":"y","type":"c.e"}]}`,
		"namespace of a full name": `{"type":"record","name":"a.b.r","fields":[
			{"name":"x","type":{"type":"enum","name":"e","symbols":["S"]}},{"name":"y","type":"a.b.e"}]}`,
		"namespace of its own": `{"type":"record","name":"r","namespace":"a","fields":[
			{"name":"x","type":{"type":"enum","name":"e","namespace":"z","symbols":["S"]}},{"name":"y","type":{"type":"z.e"}}]}`,
		"same name in two namespaces": `{"type":"record","name":"r","namespace":"a","fields":[
			{"name":"x","type":{"type":"enum","name":"z.e","symbols":["S"]}},{"name":"q","type":{"type":"fixed","name":"e","size":0}},{"name":"y","type":"z.e"}]}`,
		"no namespace inside one": `{"type":"record","name":"r","namespace":"a","fields":[
			{"name":"x","type":{"type":"enum","name":"e","namespace":"","symbols":["S"]}},{"name":"y","type":"e"}]}`,
		"aliases, docs, orders and defaults": `{"type":"record","name":"r","doc":"d","aliases":["q"],"fields":[
			{"name":"x","doc":"d","order":"ignore","default":"S","aliases":["w"],"type":{"type":"enum","name":"e","aliases":["f"],"symbols":["S"],"default":"S"}},
			{"name":"y","type":"e","props":{"k":[1,2]}}]}`,
	} {
		_, cols, err := readAllRows(fileHeader(schema, "").block(1, enc{}.long(0).long(0)), -1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if x, y := texts(cols[0])[0], texts(cols[len(cols)-1])[0]; x != "S" || y != "S" {
			t.Errorf("%s: %q and %q", name, x, y)
		}
	}
}

func TestBadSchemas(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 20_000) + `"int"` + strings.Repeat("}", 20_000)
	for _, c := range []struct{ name, schema, want string }{
		{"empty", ``, "not JSON"},
		{"two values", `"int" "int"`, "not JSON"},
		{"number", `5`, "not 5"},
		{"null", `null`, "missing"},
		{"no record", `"string"`, "record is needed"},
		{"array at the top", `{"type":"array","items":"int"}`, "record is needed"},
		{"union at the top", `["null",` + record(`"int"`) + `]`, "record is needed"},
		{"no name", `{"type":"record","fields":[]}`, "without a name"},
		{"no fields", `{"type":"record","name":"r"}`, "fields are missing"},
		{"fields are text", `{"type":"record","name":"r","fields":"x"}`, "not a list"},
		{"field is text", `{"type":"record","name":"r","fields":["x"]}`, "field 0 has no name"},
		{"field without type", `{"type":"record","name":"r","fields":[{"name":"x"}]}`, `field "x"`},
		{"field twice", `{"type":"record","name":"r","fields":[{"name":"x","type":"int"},{"name":"x","type":"int"}]}`, `two fields are called "x"`},
		{"NUL in a name", `{"type":"record","name":"r","fields":[{"name":"x\u0000","type":"int"}]}`, `"x\x00" has a NUL`},
		{"unknown type", record(`"strng"`), `unknown type "strng"`},
		{"unknown complex type", record(`{"type":"list"}`), `unknown type "list"`},
		{"type defined later", `{"type":"record","name":"r","fields":[{"name":"x","type":"e"},{"name":"y","type":{"type":"enum","name":"e","symbols":["A"]}}]}`, `unknown type "e"`},
		{"type defined twice", record(`["int",{"type":"fixed","name":"r","size":1}]`), "defined twice"},
		{"empty union", record(`[]`), "no types"},
		{"union in a union", record(`["null",["int"]]`), "directly inside"},
		{"enum without symbols", record(`{"type":"enum","name":"e"}`), "symbols are missing"},
		{"symbol that is no text", record(`{"type":"enum","name":"e","symbols":[1]}`), "symbol 1"},
		{"fixed without size", record(`{"type":"fixed","name":"x"}`), "size is missing"},
		{"fixed of half a byte", record(`{"type":"fixed","name":"x","size":0.5}`), "size is 0.5"},
		{"fixed of negative size", record(`{"type":"fixed","name":"x","size":-1}`), "size is -1"},
		{"enormous fixed", record(`{"type":"fixed","name":"x","size":1e300}`), "size is 1e+300"},
		{"array without items", record(`{"type":"array"}`), "items"},
		{"record of itself", record(`"r"`), "without end"},
		{"records of each other", record(`{"type":"record","name":"s","fields":[{"name":"t","type":["r"]}]}`), "without end"},
		{"nested too deep", record(deep), "depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newHeader([]byte(c.schema), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestEmptyRecords decodes records that take no bytes.
func TestEmptyRecords(t *testing.T) {
	h, err := newHeader([]byte(`{"type":"record","name":"r","fields":[]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := h.NewDecoder(testLimits)
	if err := d.Decode(&Block{Count: 1000}, nil); err != nil {
		t.Error(err)
	}
	if err := d.Decode(&Block{Count: maxEmpty + 1}, nil); !isDamage(err) {
		t.Error(err)
	}
	_, cols, err := readAllRows(fileHeader(record(`{"type":"record","name":"s","fields":[{"name":"n","type":"null"}]}`), "").block(3, nil), -1)
	if err != nil || cols[0].Len() != 3 || texts(cols[0])[2] != `{"n":null}` {
		t.Error(err)
	}
}

// TestExponentialRecords decodes a record that stands for a billion values and
// has no bytes: passing over it is free, its text is refused.
func TestExponentialRecords(t *testing.T) {
	typ := `{"type":"record","name":"r0","fields":[{"name":"a","type":"null"}]}`
	for i := range 30 {
		typ = `{"type":"record","name":"` + nameOf(i+1) + `","fields":[{"name":"a","type":` + typ + `},{"name":"b","type":"` + nameOf(i) + `"}]}`
	}
	data := fileHeader(record(typ), "").block(1, nil)
	if _, _, err := readAllRows(data, -1); !isDamage(err) {
		t.Errorf("error %v", err)
	}
	h, err := newHeader([]byte(record(typ)), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := h.NewDecoder(testLimits)
	if err := d.Decode(&Block{Count: 1}, []*column.Column{nil}); err != nil {
		t.Error(err)
	}
}

func nameOf(i int) string { return "r" + strconv.Itoa(i) }
