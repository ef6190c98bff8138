package model

import (
	"math"
	"testing"
)

func TestTimestamps(t *testing.T) {
	const ten = "2026-01-05T10:00:00.000Z"
	for text, want := range map[string]string{
		"1767607200": ten, "1767607200000": ten, "1767607200000000": ten, "1767607200000000000": ten,
		"1767607200000.0": ten, "1.7676072e12": ten, " 1767607200123 ": "2026-01-05T10:00:00.123Z",
		"1767607200.9999": "2026-01-05T10:00:00.999Z", "99999999999": "5138-11-16T09:46:39.000Z", "100000000000": "1973-03-03T09:46:40.000Z",
		"99999999999999": "5138-11-16T09:46:39.999Z", "100000000000000": "1973-03-03T09:46:40.000Z",
		"2026-01-05T10:00:00Z": ten, "2026-01-05 10:00:00": ten, "2026-01-05 10:00:00 UTC": ten, "2026-01-05 10:00:00.1239": "2026-01-05T10:00:00.123Z",
		"2026-01-05T12:00:00+02": ten, "2026-01-05T08:30:00-01:30": ten, "2026-01-05T08:30:00-0130": ten, "20260105T100000Z": ten,
		"2026-01-05": "2026-01-05T00:00:00.000Z", "0.5": "1970-01-01T00:00:00.500Z", "1970-01-01T00:00:00Z": "1970-01-01T00:00:00.000Z",
		"9999-12-31T23:59:59.999Z": "9999-12-31T23:59:59.999Z",
		"":                         "null", "  ": "null", "0": "null", "00": "null", "-0": "null", "0.0": "null", "0e9": "null", "Invalid date": "null", "INVALID DATE": "null",
		"abc": "lost", "-1": "lost", "-0.0001": "lost", "1969-12-31T23:59:59Z": "lost", "10000-01-01": "lost", "2026-02-30": "lost",
		"2026-13-01": "lost", "2026-01-05T24:30:00": "lost", "NaN": "lost", "1e400": "lost", "2026-01-05T10:00:00+2": "lost", "2026": "1970-01-01T00:33:46.000Z",
	} {
		if got := castShown("timestamp", text); got != want {
			t.Errorf("timestamp %q is %s instead of %s", text, got, want)
		}
	}
}

func castShown(typ, text string) string {
	return shownBy(castRule{typ: typ, event: typ == "timestamp"}, text, ordinary)
}

func shownBy(r castRule, text string, was nature) string {
	v, lost := r.cast(text, was)
	switch {
	case v == nil && lost:
		return "lost"
	case v == nil:
		return "null"
	case lost:
		return "kept " + *v
	}
	return *v
}

func TestCasts(t *testing.T) {
	for _, c := range []struct{ typ, text, want string }{
		{"string", "", ""}, {"string", " a ", " a "}, {"string", "a\xff\xfeb\xff", "kept a\uFFFDb\uFFFD"},
		{"id", " 7 ", "7"}, {"id", "007", "7"}, {"id", "-0", "0"}, {"id", "+7", "lost"}, {"id", "7.0", "lost"}, {"id", "", "null"},
		{"id", "9223372036854775807", "9223372036854775807"}, {"id", "9223372036854775808", "lost"}, {"id", "1_000", "lost"},
		{"int64", "12", "12"}, {"int64", "1e3", "lost"}, {"int64", "x", "lost"},
		{"boolean", "T", "true"}, {"boolean", " False ", "false"}, {"boolean", "1", "true"}, {"boolean", "yes", "lost"}, {"boolean", "", "null"},
		{"double", "1.50", "1.5"}, {"double", "1E21", "1e+21"}, {"double", "-0", "0"}, {"double", "nan", "NaN"}, {"double", "-inf", "-Infinity"},
		{"double", "1e999", "lost"}, {"double", "0x10", "lost"}, {"double", "1,5", "lost"}, {"double", ".5", "0.5"}, {"double", "5.", "5"},
		{"date", "2026-01-05", "2026-01-05"}, {"date", "1999-12-31T23:30:00-02:00", "2000-01-01"}, {"date", "soon", "lost"}, {"date", "0", "null"},
		{"decimal(5,2)", "12.5", "12.50"}, {"decimal(5,2)", "12.500", "12.50"}, {"decimal(5,2)", "12.505", "lost"}, {"decimal(5,2)", "999.99", "999.99"},
		{"decimal(5,2)", "1000", "lost"}, {"decimal(5,2)", "1e2", "100.00"}, {"decimal(5,2)", "-0", "0.00"}, {"decimal(5,0)", "010", "10"},
		{"decimal(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"}, {"decimal(5,2)", "abc", "lost"},
		{"json", ` {"a": 1} `, `{"a": 1}`}, {"json", "{", "lost"}, {"json", "", "null"}, {"json", "\"\xff\"", "lost"}, {"json", "null", "null"},
	} {
		if got := castShown(c.typ, c.text); got != c.want {
			t.Errorf("%s of %q is %s instead of %s", c.typ, c.text, got, c.want)
		}
	}
	for was, want := range map[nature]string{ordinary: "5", real: "lost", counted: "lost", zero: "lost"} {
		if got := shownBy(castRule{typ: "id"}, "5", was); got != want {
			t.Errorf("an id of nature %d is %s instead of %s", was, got, want)
		}
	}
}

func TestTextOfAvroValues(t *testing.T) {
	logical := func(base, l string) any { return map[string]any{"type": base, "logicalType": l} }
	place := map[string]any{"type": "record", "name": "p", "fields": []any{
		map[string]any{"name": "z", "type": "double"}, map[string]any{"name": "a", "type": []any{"null", "string"}}}}
	for _, c := range []struct {
		schema, v any
		want      string
	}{
		{"long", int64(-5), "-5"}, {"boolean", true, "true"}, {"double", 1234567.0, "1234567"}, {"double", 1e21, "1e+21"}, {"double", 1e20, "100000000000000000000"},
		{"double", 1e-6, "0.000001"}, {"double", 1e-7, "1e-7"}, {"double", 0.1, "0.1"}, {"float", float32(0.1), "0.1"}, {"double", math.Inf(-1), "-Infinity"},
		{"double", math.Copysign(0, -1), "0"}, {"double", 123e-20, "1.23e-18"},
		{logical("int", "date"), int64(20458), "2026-01-05"}, {logical("int", "date"), int64(-1), "1969-12-31"},
		{logical("long", "timestamp-millis"), int64(1767607200123), "2026-01-05T10:00:00.123Z"},
		{logical("long", "timestamp-millis"), int64(1767607200000), "2026-01-05T10:00:00Z"},
		{logical("long", "local-timestamp-micros"), int64(1767607200000001), "2026-01-05T10:00:00.000001Z"},
		{logical("int", "time-millis"), int64(36000000), "10:00:00.000"}, {logical("long", "time-micros"), int64(36000000001), "10:00:00.000001"},
		{map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, []byte{0xff}, "-0.01"},
		{map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, []byte{0x04, 0xd2}, "12.34"},
		{[]any{"null", "string"}, "x", "x"}, {[]any{"long", "string", "null"}, Branch{1, "x"}, "x"},
		{map[string]any{"type": "array", "items": "long"}, []any{int64(1), int64(2)}, "[1,2]"},
		{map[string]any{"type": "map", "values": []any{"null", "string"}}, map[string]any{"b": nil, "a": "<é>"}, `{"a":"<é>","b":null}`},
		{place, map[string]any{"a": "x\n", "z": 1.0}, `{"z":1,"a":"x\n"}`},
	} {
		if got, null, _ := textOf(c.schema, c.v); null || got != c.want {
			t.Errorf("%v of %s is %q instead of %q", c.v, schemaText(c.schema), got, c.want)
		}
	}
	if _, null, _ := textOf([]any{"null", "string"}, nil); !null {
		t.Error("null is not null")
	}
}

func TestReadings(t *testing.T) {
	event, typed := castRule{typ: "timestamp", event: true}, castRule{typ: "timestamp"}
	in := func(r castRule, unit string) castRule { r.unit = unit; return r }
	money := castRule{typ: "decimal(5,2)", round: "half_even"}
	for _, c := range []struct {
		rule       castRule
		text, want string
		was        nature
	}{
		{event, "1970-01-01T00:00:00Z", "null", zero}, {event, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", ordinary},
		{event, "00:00:00.000", "null", zero}, {event, "1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000Z", counted},
		{typed, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", zero}, {typed, "0", "null", ordinary}, {typed, "1955-02-24", "1955-02-24T00:00:00.000Z", ordinary},
		{typed, "0001-01-01", "0001-01-01T00:00:00.000Z", ordinary}, {typed, "0000-12-31", "lost", ordinary}, {typed, "-1", "lost", ordinary}, {event, "1955-02-24", "lost", ordinary},
		{castRule{typ: "date"}, "1969-12-31T23:59:59.999Z", "1969-12-31", ordinary}, {in(castRule{typ: "date"}, "s"), "-1", "1969-12-31", ordinary},
		{in(typed, "s"), "-1", "1969-12-31T23:59:59.000Z", ordinary}, {in(typed, "ns"), "-1", "1969-12-31T23:59:59.999Z", ordinary}, {in(event, "s"), "-1", "lost", ordinary},
		{in(event, "ms"), "1767607200", "1970-01-21T11:00:07.200Z", ordinary}, {in(event, "us"), "1767607200000.9", "1970-01-21T11:00:07.200Z", ordinary},
		{in(event, "s"), "1767607200000", "lost", ordinary}, {in(event, "ns"), "1e18", "2001-09-09T01:46:40.000Z", ordinary}, {in(event, "ms"), "-0", "null", ordinary},
		{money, "19.990000000000002", "19.99", ordinary}, {money, "12.345", "12.34", ordinary}, {money, "-12.355", "-12.36", ordinary}, {money, "-0.001", "0.00", ordinary},
		{money, "999.995", "lost", ordinary}, {money, "999.994", "999.99", ordinary}, {money, "1e-7", "0.00", ordinary}, {money, "1e+21", "lost", ordinary},
	} {
		if got := shownBy(c.rule, c.text, c.was); got != c.want {
			t.Errorf("%+v: %q of nature %d is %s instead of %s", c.rule, c.text, c.was, got, c.want)
		}
	}
}
