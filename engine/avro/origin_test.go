package avro

import (
	"fmt"
	"slices"
	"testing"

	"reconcile/internal/column"
)

// branches of the union of TestOrigins: each a type, a value, its text and origin.
var originValues = []struct {
	typ  string
	data enc
	text string
	want Origin
}{
	{`"null"`, enc{}, "\x00null", Plain},
	{`"string"`, enc{}.str("7"), "7", Plain},
	{`"bytes"`, enc{}.str("7"), "7", Plain},
	{`"boolean"`, enc{1}, "true", Plain},
	{`"long"`, enc{}.long(0), "0", Plain},
	{`{"type":"enum","name":"e","symbols":["a"]}`, enc{}.long(0), "a", Plain},
	{`{"type":"fixed","name":"f","size":1}`, enc{'7'}, "7", Plain},
	{`{"type":"fixed","name":"d","size":1,"logicalType":"decimal","precision":2,"scale":0}`, enc{7}, "7", Plain},
	{`"double"`, enc{}.double(7), "7", NoID},
	{`"float"`, enc{}.float(7), "7", NoID},
	{`{"type":"long","logicalType":"new"}`, enc{}.long(0), "0", Plain},
	{`{"type":"long","logicalType":"timestamp-millis"}`, enc{}.long(0), "1970-01-01T00:00:00Z", Zero},
	{`{"type":"long","logicalType":"timestamp-micros"}`, enc{}.long(1), "1970-01-01T00:00:00.000001Z", NoID},
	{`{"type":"long","logicalType":"local-timestamp-nanos"}`, enc{}.long(0), "1970-01-01T00:00:00Z", Zero},
	{`{"type":"int","logicalType":"date"}`, enc{}.long(0), "1970-01-01", Zero},
	{`{"type":"int","logicalType":"date"}`, enc{}.long(1), "1970-01-02", NoID},
	{`{"type":"int","logicalType":"time-millis"}`, enc{}.long(0), "00:00:00.000", Zero},
	{`{"type":"long","logicalType":"time-micros"}`, enc{}.long(1 << 62), "4611686018427387904", NoID},
}

// TestOrigins decodes each value as a field of its own type, as the branch of a
// union, and encoded.
func TestOrigins(t *testing.T) {
	for _, v := range originValues {
		for name, c := range map[string]struct {
			schema string
			data   enc
		}{
			"alone":          {v.typ, v.data},
			"optional":       {`["null",` + v.typ + `]`, append(enc{}.long(1), v.data...)},
			"of a union":     {`["null","string",` + v.typ + `]`, append(enc{}.long(2), v.data...)},
			"another branch": {`[{"type":"record","name":"r2","fields":[]},` + v.typ + `]`, append(enc{}.long(1), v.data...)},
		} {
			if v.typ == `"null"` && name != "alone" || v.typ == `"string"` && name == "of a union" {
				continue
			}
			h, err := newHeader(fmt.Appendf(nil, `{"type":"record","name":"r","fields":[{"name":"x","type":%s}]}`, c.schema), nil)
			if err != nil {
				t.Fatal(err)
			}
			d := h.NewDecoder(testLimits)
			var got []Origin
			d.Watch(0, &got)
			check := func(how string, dst *column.Column, err error) {
				t.Helper()
				if err != nil || !slices.Equal(texts(dst), []string{v.text}) || !slices.Equal(got, []Origin{v.want}) {
					t.Errorf("%s %s, %s: %q of origin %d, %v; want %q of %d", v.typ, name, how, texts(dst), got, err, v.text, v.want)
				}
			}
			dst := &column.Column{}
			recs, _, err := d.encodeBlock(&Block{Count: 1, Data: c.data}, []*column.Column{dst}, h.NewRecordCodec([]bool{true}, NewPool(1<<10)))
			check("encoded", dst, err)
			dst = &column.Column{}
			check("a record", dst, d.DecodeRecord(recs.Record(0), []*column.Column{dst}))
			dst = &column.Column{}
			p := h.NewRecordCodec([]bool{true}, NewPool(1<<10))
			_, encoded, err := d.encodeBlock(&Block{Count: 1, Data: c.data}, []*column.Column{nil}, p)
			if err != nil {
				t.Fatal(err)
			}
			check("a encoded record", dst, d.DecodeEncoded([][]byte{encoded.Record(0)}, p, []*column.Column{dst}))
			if f := h.Fields()[0]; v.want != Plain && !f.Telling {
				t.Errorf("%s %s: the field does not say that it tells", v.typ, name)
			}
		}
	}
}
