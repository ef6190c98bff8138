package main

import (
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"reconcile/engine/model"
	"reconcile/internal/definition"
)

// edgeTables are names that folders, globs and readers may stumble over.
var edgeTables = []string{"checkout", "Add To Cart", "-dash", "_hidden", "per%cent", "per%20cent", "ünï_cödé", `quo"te`, "it's", "a/b", "..",
	"year=2020", "*[a]?{b,c}", "con", "dot.", "emoji 😀", "semi;colon -- ", "$HOME", strings.Repeat("long", 75)}

// edgeText are values that text must keep, and some that are not valid UTF-8.
var edgeText = []any{"", " blanks ", "null", "NULL", "\\N", "nul\x00byte", "\x00", "two\nlines\r\n", "tab\t", "emoji 😀👩‍👩‍👧", "\u2028 \u2029 \ufeff",
	"bad \xff\xfe bytes", "\xc3", "\xed\xa0\x80 surrogate", "\xf4\x90\x80\x80", "e\u0301", `"quotes" 'single' \back`, "__HIVE_DEFAULT_PARTITION__",
	strings.Repeat("x", 100_000), strings.Repeat("\x00", 300), nil, "last"}

var edgeColumns = []struct {
	name, declared string
	values         []any
}{
	{"small", "decimal(9,2)", []any{"0.01", "-9999999.99", "9999999.99", "1e3", "0.001", nil, "", "-0.00"}},
	{"middle", "decimal(18,0)", []any{"999999999999999999", "-999999999999999999", "1.0", "0.5", nil}},
	{"large", "decimal(19,4)", []any{"999999999999999.9999", "-999999999999999.9999", "0.0001", "-0.0001", nil}},
	{"huge", "decimal(38,10)", []any{"9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999", "1", "-1", nil}},
	{"whole", "int64", []any{"9223372036854775807", "-9223372036854775808", "0", "-1", "9223372036854775808", nil}},
	{"real", "double", []any{"1.7976931348623157e308", "5e-324", "NaN", "Infinity", "-Infinity", "0.1", "-0", "1e999", nil}},
	{"ok", "boolean", []any{"true", "F", "1", "0", "maybe", nil}},
	{"born", "date", []any{"1970-01-01", "9999-12-31", "2000-02-29", "2001-02-29", "1969-12-31", "1955-02-24",
		"0001-01-01", "1582-10-04", "1582-10-15", "1899-12-31", nil}},
	{"seen", "timestamp", []any{"2026-01-05T10:00:00.001Z", "1", "0", "2200-01-01", "nonsense", "1955-02-24T10:00:00.001Z", "-1",
		"0001-01-01T00:00:00Z", "1582-10-04T23:59:59.999Z", "1582-10-15T00:00:00.001Z", "1899-12-31T23:59:59.999Z", nil}},
	{"payload", "json", []any{`{"a": [1, "é😀"]}`, "nope", "null", nil}},
	{"Mixed_Case", "", []any{"a", "B", nil}},
	{"renamed", "", edgeText},
	{"title", "", edgeText},
}

// edgeTimes are event times around the ends of days, months and years, and none.
var edgeTimes = []any{"2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z", "2026-01-01T00:30:00+01:00", "2026-02-28T23:00:00-01:00", "1970-01-01T00:00:00.001Z",
	"0", "Invalid date", "never", nil, "2199-12-31T23:59:59.999Z", "1767607200"}

// edgeConfig is the configuration of the world of edge cases: flat, nested or by date.
func edgeConfig(layout string) string {
	by := map[string]string{"flat": "[]", "nested": "[year(time), month(time), day(time), hour(time)]", "dates": "[date(time)]"}[layout]
	encodings := map[string]string{"flat": definition.Plain, "nested": definition.Plain, "dates": definition.Compact}[layout]
	var b strings.Builder
	fmt.Fprintf(&b, "%stable \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = %s\n", prelude(encodings), by)
	for _, c := range edgeColumns {
		if c.declared != "" {
			fmt.Fprintf(&b, "  column %q { type = %q }\n", c.name, c.declared)
		}
	}
	if layout == "flat" { // Spark before 3.3 reads no table with such a column
		b.WriteString("  column \"renamed\" { as = \"-100% \\\"naïve\\\" 'col' 😀 _.\" }\n")
	}
	b.WriteString("}\n")
	b.WriteString("table \"users\" { sinks = [sink.parquet.lake] }\ntable \"user_migrations\" { sinks = [sink.parquet.lake] }\n")
	return b.String()
}

// edgeSteps are two dumps that come one after the other: in the second some
// columns are new, and one table is emptied.
func edgeSteps() [][]*model.Dump {
	one, two := &model.Dump{ID: 1}, &model.Dump{ID: math.MaxInt64}
	for _, name := range edgeTables {
		one.Entries = append(one.Entries, edgeEntry(name, 1, 0, 6))
		two.Entries = append(two.Entries, edgeEntry(name, 2, 3, len(edgeColumns)))
	}
	one.Entries = append(one.Entries, edgeEntry("emptied", 1, 0, 3), edgeEntry("users", 1, 0, 6))
	two.Entries = append(two.Entries, model.Entry{Table: "emptied", Incremental: model.Bool(false), Columns: []string{"event_id", "user_id"}},
		model.Entry{Table: "born_empty", Incremental: model.Bool(false), Columns: []string{"event_id", "user_id"}},
		edgeEntry("users", 2, 3, len(edgeColumns)), edgeMapping())
	return [][]*model.Dump{{one}, {two}}
}

// edgeEntry delivers as many rows as there are texts, with some of the columns.
func edgeEntry(table string, dump, from, to int) model.Entry {
	f := &model.File{Key: fmt.Sprintf("sync_%d/part-%08x.avro", dump, crc32.ChecksumIEEE([]byte(table))), Codec: "snappy"}
	long, text := []any{"null", "long"}, []any{"null", "string"}
	f.Fields = []model.Field{{Name: "user_id", Type: long}, {Name: "event_id", Type: long}, {Name: "session_id", Type: long}, {Name: "time", Type: text}, {Name: "last_modified", Type: text}}
	for _, c := range edgeColumns[from:to] {
		f.Fields = append(f.Fields, model.Field{Name: c.name, Type: text})
	}
	users := []any{int64(1), int64(-5), int64(math.MaxInt64), int64(math.MinInt64), int64(0)}
	for i := range len(edgeText) {
		id := []any{int64(dump*1000 + i), int64(math.MinInt64 + i)}[i%2]
		row := []any{users[i%len(users)], id, int64(i), edgeTimes[i%len(edgeTimes)], edgeTimes[(i+3)%len(edgeTimes)]}
		for _, c := range edgeColumns[from:to] {
			row = append(row, c.values[(i+dump)%len(c.values)])
		}
		f.Rows = append(f.Rows, row)
	}
	if table == "users" {
		f.Fields = slices.Delete(f.Fields, 1, 4)
		for i := range f.Rows {
			f.Rows[i] = slices.Delete(f.Rows[i], 1, 4)
		}
	}
	e := model.Entry{Table: table, Incremental: model.Bool(dump != 1), Files: []*model.File{f}}
	for _, fd := range f.Fields {
		e.Columns = append(e.Columns, fd.Name)
	}
	return e
}

func edgeMapping() model.Entry {
	f := &model.File{Key: "sync_2/mapping.avro", Fields: []model.Field{{Name: "from_user_id", Type: "long"}, {Name: "to_user_id", Type: "long"}, {Name: "time", Type: []any{"null", "string"}}}}
	f.Rows = [][]any{{int64(1), int64(-5), "1767607200"}, {int64(math.MinInt64), int64(math.MaxInt64), nil}, {int64(0), int64(0), nil}}
	return model.Entry{Table: "user_migrations", Incremental: model.Bool(false), Columns: []string{"from_user_id", "to_user_id", "time"}, Files: []*model.File{f}}
}
