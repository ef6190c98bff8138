package model

import (
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columnPool is what columns there are besides ids and timestamps. Odd ones do
// not occur in tame worlds; nulls do in all columns.
var columnPool = []struct {
	name   string
	odd    bool
	schema any // of values that are no texts
	value  func(r *rand.Rand) any
}{
	{"path", false, nil, texts("/", "/home", "/cart", "/a?b=<c>&d", "")},
	{"browser", false, nil, texts("Chrome", "Firefox", "Safari")},
	{"email", false, nil, texts("a@example.com", "b@example.com", "c@example.com")},
	{"plan", false, nil, texts("free", "pro", "team")},
	{"price", false, nil, texts("12.50", "0.10", "3")},
	{"count", false, nil, texts("1", "2", "30")},
	{"Title", true, nil, texts("plain", "with \"quotes\"", "two\nlines", "tab\there", "emoji 😀", "\u2028 separator", " blanks ", "", "null", "nul\x00byte")},
	{"blob", true, nil, texts("fine", "bad \xff\xfe bytes", "\xc3", "ok \u00e9", "half \xe2\x82")},
	{"revenue", true, nil, texts("12.50", "0.1", "-3", "1e2", "12.345", "abc", "", " 7.10 ", "99999999999999999999.99", "NaN", "30.000000000000004",
		"12.355", "9999999999.995", "-0.005", "1e-7", "1e+21")},
	{"qty", true, nil, texts("1", "0", "-7", "007", " 12 ", "1.0", "9223372036854775807", "9223372036854775808", "x", "")},
	{"ratio", true, nil, texts("0.5", "1e-7", "1E21", "NaN", "-Infinity", "1e999", "1,5", "", "-0", "123456789.125")},
	{"ok", true, nil, texts("true", "FALSE", "t", "0", "1", "yes", "", " True ")},
	{"payload", true, nil, texts(`{"a":1}`, "[1, 2]", ` "x" `, "{", "nope", "", `{"k":"<é>"}`)},
	{"seen", true, nil, texts("2026-01-05T10:00:00Z", "1767600000000", "2026-01-05", "soon", "", "0", "1955-02-24T10:00:00Z", "-1", "-62135596800000",
		"0001-01-01", "0000-12-31", "498787200", "1767600000.5", "9999-12-31T23:59:59.999Z")},
	{"born", true, nil, texts("2001-02-03", "1999-12-31T23:30:00-02:00", "2001-02-30", "", "1767600000", "1969-12-31", "1955-02-24", "-1", "-0.5",
		"0001-01-01", "1970-01-01", "0", "86400000")},
	{"_dump_id", true, nil, texts("from the vendor", "12")},
	{"year", true, nil, texts("2024", "1999")},
	{"Day_", true, nil, texts("monday", "sunday")},
	{"_rescued_data", true, nil, texts("{}", "x")},
	{"canonical_user_id", true, nil, texts("5", "x")},
	{"tags", true, map[string]any{"type": "array", "items": []any{"null", "string"}}, func(r *rand.Rand) any {
		return oneOf[any](r, []any{}, []any{"a", nil, "<b>"})
	}},
	{"attrs", true, map[string]any{"type": "map", "values": "long"}, func(r *rand.Rand) any {
		return oneOf[any](r, map[string]any{}, map[string]any{"b": int64(2), "a": int64(1)})
	}},
	{"place", true, map[string]any{"type": "record", "name": "place", "fields": []any{
		map[string]any{"name": "z", "type": "double"}, map[string]any{"name": "city", "type": []any{"null", "string"}}}},
		func(r *rand.Rand) any { return map[string]any{"z": 1.5, "city": oneOf[any](r, nil, "Köln")} }},
	{"amount", true, map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, func(r *rand.Rand) any {
		return oneOf(r, []byte{0x04, 0xd2}, []byte{0xff}, []byte{0x00})
	}},
	{"birthday", true, map[string]any{"type": "int", "logicalType": "date"}, func(r *rand.Rand) any { return int64(r.Intn(40_000) - 20_000) }},
	{"checked", true, map[string]any{"type": "long", "logicalType": "timestamp-micros"}, func(r *rand.Rand) any {
		return oneOf[int64](r, 1_767_600_000_000_000, 1_767_600_000_123_000, 1_767_600_000_123_456, 0, -1, -469_065_600_000_000)
	}},
	{"mixed", true, []any{"null", "long", "string", "boolean"}, func(r *rand.Rand) any {
		return oneOf(r, Branch{1, int64(5)}, Branch{2, "five"}, Branch{3, true}, Branch{0, nil})
	}},
	{"size", true, map[string]any{"type": "enum", "name": "size", "symbols": []any{"S", "M", "L"}}, func(r *rand.Rand) any {
		return oneOf[any](r, "S", "M", "L")
	}},
	{"code", true, map[string]any{"type": "fixed", "name": "code", "size": 2}, func(r *rand.Rand) any { return oneOf(r, []byte("ab"), []byte("\xffz")) }},
	{"User_ID", true, nil, texts("5100099", "ana@example.com", "", "7")},
	{"Time", true, nil, texts("10:30-11:00", "1767600000000", "", "2026-01-05")},
	{"Session_Id", true, nil, texts("6f0c8b1e-0000-4000-8000-000000000001", "11")},
	{"Event_ID", true, nil, texts("42", "1001")},
	{"time_", true, nil, texts("soon", "1767600000000")},
	{"Last_Modified", true, nil, texts("2026-01-05", "never")},
	{"Order Total", true, nil, texts("12.50", "3", "abc", "\xff")},
	{"2nd-item", true, nil, texts("sock", "hat")},
	{"order.total", true, nil, texts("7", "8")},
	{"route", true, nil, texts("north", "south")},
	{"real", true, "float", func(r *rand.Rand) any { return oneOf[any](r, float32(0.1), float32(16777216), float32(1e-9)) }},
}

func texts(list ...string) func(*rand.Rand) any {
	return func(r *rand.Rand) any { return oneOf(r, list...) }
}

// wildTimes are texts of times that are odd or no times at all. Some are of
// one and the same moment.
var wildTimes = []any{"1767607200", "1767607200000", "1767607200000000", "1767607200000000000", "1767607200000.0", "1.7676072e12",
	" 1767607200123 ", "2026-01-05T10:00:00.123456Z", "2026-01-05 10:00:00", "2026-01-05 10:00:00.9 UTC", "2026-01-05T10:00+02",
	"2026-01-05T10:00:00-0130", "2026-01-05T23:59:59.999+05:30", "2026-01-05", "00", "-0", "0.0", "0e5", "invalid DATE", "garbage",
	"-1", "-0.0001", "10000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-02-30", "2026-01-05T25:00:00Z", "253402300800000", "NaN",
	"1e400", "99999999999.9995", "1767607200.9999", nil}

func idText(v int64) any { return strconv.FormatInt(v, 10) }

// encoder invents forms in which values are delivered.
type encoder struct{ dice }

// id delivers an id, or something that is none.
func (e encoder) id(v int64) any {
	switch {
	case e.wild(0.01):
		return oneOf[any](e.r, nil, "", "abc", "1.5", "+7", "12e3", "9223372036854775808")
	case e.wild(0.01):
		return fmt.Sprintf(" %d ", v)
	case e.wild(0.005) && v >= 0:
		return fmt.Sprintf("00%d", v)
	}
	return idText(v)
}

// timeText delivers a time as text of some form.
func (e encoder) timeText(ms int64) any {
	t := time.UnixMilli(ms).UTC()
	switch {
	case e.wild(0.1):
		return t.Format("2006-01-02T15:04:05.000Z")
	case e.wild(0.05):
		return t.In(time.FixedZone("", 5400)).Format("2006-01-02 15:04:05.000-07:00")
	case e.wild(0.05):
		return nil
	}
	return strconv.FormatInt(ms, 10)
}

// timeField adds a timestamp column to a file: as text, numbers or a logical
// type.
func (g *gen) timeField(f *File, name string, rows []*genRow) {
	logical := func(l string) any { return map[string]any{"type": "long", "logicalType": l} }
	form := oneOf(g.r, "text", "text", "text", "long", "double", "timestamp-millis", "timestamp-micros", "several")
	if len(f.Fields) > 0 && g.opt.Tame {
		form = "text"
	}
	values := make([]any, len(rows))
	for i, row := range rows {
		ms := row.times[name]
		switch form {
		case "text":
			if values[i] = g.encoder.timeText(ms); row.wild != nil {
				values[i] = row.wild
			}
		case "long", "timestamp-millis":
			values[i] = ms
		case "double":
			values[i] = float64(ms)
		case "timestamp-micros":
			values[i] = ms*1000 + int64(i%3)
		case "several":
			values[i] = g.encoder.severalTimes(ms, row.wild)
			continue
		}
		switch {
		case form == "text":
		case row.wild == "":
			values[i] = nil
		case row.wild == "0" && form == "double":
			values[i] = 0.0
		case row.wild == "0":
			values[i] = int64(0)
		}
	}
	var schema any
	switch form {
	case "text":
		schema, values = g.encoder.encode("text", values)
	case "long", "double":
		schema, values = g.encoder.nullable(form, values)
	case "several":
		schema = []any{"null", "string", logical("timestamp-millis"), "double", map[string]any{"type": "int", "logicalType": "date"}}
	default:
		schema, values = g.encoder.nullable(logical(form), values)
	}
	f.addField(g.spell(name), schema, values)
}

// severalTimes delivers a time as one of the branches of a union that timeField has.
func (e encoder) severalTimes(ms int64, wild any) any {
	text := any(strconv.FormatInt(ms, 10))
	if wild != nil {
		text = wild
	}
	return oneOf(e.r, Branch{0, nil}, Branch{1, text}, Branch{1, text}, Branch{2, ms}, Branch{2, int64(0)}, Branch{3, float64(ms)}, Branch{4, int64(0)})
}

func kindFor(name string) string {
	if slices.Contains(idNames, name) {
		return "id"
	}
	return "text"
}

// encode gives texts (or nil) an Avro type that can carry all of them as they
// are: a number, a boolean, bytes, a union of several types, else a string.
func (e encoder) encode(kind string, values []any) (any, []any) {
	for _, form := range []string{"long", "double", "boolean"} {
		// Ids are doubles so rarely because they all go to the quarantine.
		p := map[string]float64{"long": 0.6, "double": 0.3, "boolean": 0.6}[form]
		if kind == "id" && form == "double" {
			p = 0.003
		}
		if out, ok := convert(form, values); ok && len(values) > 0 && e.chance(p) && (form != "double" || !e.tame || kind != "id") {
			return e.nullable(form, out)
		}
	}
	switch {
	case e.wild(0.1):
		out := slices.Clone(values)
		for i, v := range out {
			if v != nil {
				out[i] = []byte(v.(string))
			}
		}
		return e.nullable("bytes", out)
	case e.wild(0.08):
		return e.severalTypes(kind, values)
	}
	return e.nullable("string", values)
}

// convert turns texts into values of a type, if their text is then the same.
func convert(form string, values []any) ([]any, bool) {
	out := make([]any, len(values))
	for i, v := range values {
		if v == nil {
			continue
		}
		text := strings.ToValidUTF8(v.(string), "?")
		switch form {
		case "long":
			out[i], _ = strconv.ParseInt(text, 10, 64)
		case "double":
			out[i], _ = strconv.ParseFloat(text, 64)
		case "boolean":
			out[i] = text == "true"
		}
		if back, _, _ := textOf(form, out[i]); back != v {
			return nil, false
		}
	}
	return out, true
}

// severalTypes spreads texts over the branches of a union.
func (e encoder) severalTypes(kind string, values []any) (any, []any) {
	real := 0.3
	if kind == "id" {
		real = 0.02 // they are none
	}
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = Branch{1, nil}
		if v == nil {
			continue
		}
		out[i] = Branch{0, v}
		if n, ok := convert("long", []any{v}); ok && e.chance(0.5) {
			out[i] = Branch{2, n[0]}
		}
		if n, ok := convert("double", []any{v}); ok && e.chance(real) {
			out[i] = Branch{3, n[0]}
		}
	}
	return []any{"string", "null", "long", "double"}, out
}

// nullable wraps a type so that it takes the values: mostly ["null", T].
func (e encoder) nullable(schema any, values []any) (any, []any) {
	if _, union := schema.([]any); union {
		out := make([]any, len(values))
		for i, v := range values {
			if out[i] = v; v == nil {
				out[i] = Branch{0, nil}
			}
		}
		return schema, out
	}
	switch {
	case !slices.Contains(values, nil) && e.chance(0.2):
		return schema, values
	case e.chance(0.2):
		return []any{schema, "null"}, values
	}
	return []any{"null", schema}, values
}
