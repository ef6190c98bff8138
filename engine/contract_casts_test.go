package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"reconcile/engine/model"
)

// TestContractIDs: an id is an integer or decimal text in int64; anything else,
// doubles too, is a failed cast.
func TestContractIDs(t *testing.T) {
	cases := []struct {
		typ  string
		v    any
		want string // "" is missing, "!" is refused
	}{
		{"string", " 12 ", "12"}, {"string", "007", "7"}, {"string", "-5", "-5"}, {"string", "\t3\n", "3"},
		{"string", "9223372036854775807", "9223372036854775807"}, {"string", "-9223372036854775808", "-9223372036854775808"},
		{"string", "9223372036854775808", "!"}, {"string", "-9223372036854775809", "!"},
		{"string", "+5", "!"}, {"string", "5.0", "!"}, {"string", "1e3", "!"}, {"string", "abc", "!"}, {"string", "0x1", "!"},
		{"string", "1 2", "!"}, {"string", "-", "!"}, {"string", "", ""}, {"string", "  ", ""}, {"string", nil, ""},
		{"long", math.MinInt64, "-9223372036854775808"}, {"long", 0, "0"}, {"int", 5, "5"},
		{"double", 5.0, "!"}, {"float", float32(5), "!"}, {"boolean", true, "!"},
		{"bytes", []byte(" 42"), "42"},
	}
	for _, key := range []string{"event_id", "user_id", "session_id"} {
		t.Run(key, func(t *testing.T) {
			a := newBed(t, lakeTables)
			d := dumpOf(1)
			var want, bad []string
			for i, c := range cases {
				rest := strings.Fields("event_id user_id session_id")
				fields, values := "n", row(fmt.Sprint(i))
				for _, name := range rest {
					if name == key {
						fields += " " + name + ":" + c.typ
						values = append(values, c.v)
					} else if name != "session_id" {
						fields += " " + name
						values = append(values, i)
					}
				}
				f := avroPart(fields, values)
				f.Key = fmt.Sprintf("x/%d.avro", i)
				d.Entries = append(d.Entries, more("e", f))
				original := fmt.Sprint(c.v)
				switch {
				case c.want != "" && c.want != "!":
					want = append(want, fmt.Sprintf("%d %s -", i, c.want))
				case key != "session_id":
					bad = append(bad, fmt.Sprint(i))
				case c.want == "":
					want = append(want, fmt.Sprintf("%d - -", i))
				default:
					want = append(want, fmt.Sprintf("%d - {\"session_id\":%q}", i, original))
				}
			}
			res := a.run(d)
			a.want("e", "n "+key+" _rescued_data", want...)
			if n := res.Tables[0].Counts.Quarantined; n != int64(len(bad)) {
				t.Errorf("%d are quarantined, not %d", n, len(bad))
			}
		})
	}
}

// TestContractText: what becomes text.
func TestContractText(t *testing.T) {
	cases := []struct {
		typ, want string
		v         any
	}{
		{"double", "1", 1.0}, {"double", "1234567", 1234567.0}, {"double", "1e+21", 1e21}, {"double", "100000000000000000000", 1e20},
		{"double", "0.000001", 1e-6}, {"double", "1e-7", 1e-7}, {"double", "0", math.Copysign(0, -1)}, {"double", "NaN", math.NaN()},
		{"double", "-Infinity", math.Inf(-1)}, {"double", "0.1", 0.1}, {"float", "0.1", float32(0.1)}, {"float", "16777216", float32(1 << 24)},
		{"boolean", "true", true}, {"int", "-7", -7}, {"long", "9007199254740993", 9007199254740993},
		{"date", "2026-01-05", 20458}, {"date", "1969-12-31", -1}, {"tms", "10:00:00.123", 36000123},
		{"ms", "2026-01-05T10:00:00.123Z", 1767607200123}, {"ms", "2026-01-05T10:00:00Z", 1767607200000},
		{"localms", "2026-01-05T10:00:00.120Z", 1767607200120},
		{"dec", "123.45", []byte{0x30, 0x39}}, {"dec", "-0.01", []byte{0xff}}, {"dec", "0.00", []byte{0}},
		{"uuid", "0b8c0e5e-0000-4000-8000-000000000001", "0b8c0e5e-0000-4000-8000-000000000001"},
		{"enum", "BLUE", "BLUE"}, {"fix", "hi", []byte("hi")}, {"bytes", "é", []byte("é")}, {"string", " x ", " x "}, {"string", "", ""},
		{"ints", "[1,2]", []any{int64(1), int64(2)}}, {"ints", "[]", []any{}},
		{"map", `{"A":null,"a":"<&>","b":"\""}`, map[string]any{"b": `"`, "a": "<&>", "A": nil}},
		{"rec", `{"z":null,"a":1}`, map[string]any{"z": nil, "a": 1.0}},
	}
	a := newBed(t, lakeTables)
	d := dumpOf(1)
	var want []string
	for i, c := range cases {
		f := avroPart("event_id user_id a:"+c.typ, row(i, 7, c.v))
		f.Key = fmt.Sprintf("x/%d.avro", i)
		d.Entries = append(d.Entries, more("e", f))
		want = append(want, fmt.Sprintf("%d %s -", i, c.want))
	}
	union := &model.File{Key: "x/union.avro", Fields: []model.Field{
		{Name: "event_id", Type: "long"}, {Name: "user_id", Type: []any{"long", "null"}}, {Name: "a", Type: []any{"null", "double", "string", "boolean"}}},
		Rows: [][]any{{int64(100), int64(7), model.Branch{Index: 1, Value: 2.5}}, {int64(101), int64(7), model.Branch{Index: 2, Value: "s"}},
			{int64(102), int64(7), model.Branch{Index: 3, Value: false}}}}
	d.Entries = append(d.Entries, more("e", union))
	a.run(d)
	a.want("e", "event_id a _rescued_data", append(want, "100 2.5 -", "101 s -", "102 false -")...)
}

// TestContractCasts: declared types, what does not cast, and under which name it
// is rescued.
func TestContractCasts(t *testing.T) {
	cases := []struct {
		typ  string
		v    any
		want string // "!" is null and rescued
	}{
		{"boolean", " T ", "true"}, {"boolean", "FALSE", "false"}, {"boolean", "1", "true"}, {"boolean", "0", "false"}, {"boolean", "yes", "!"},
		{"boolean", " no ", "!"}, {"boolean", "1.0", "!"}, {"boolean", "", "-"},
		{"int64", " 42 ", "42"}, {"int64", "-7", "-7"}, {"int64", "4.0", "!"}, {"int64", "1e3", "!"}, {"int64", "9223372036854775808", "!"}, {"int64", "  ", "-"},
		{"double", "1e3", "1000"}, {"double", "NaN", "NaN"}, {"double", "Infinity", "Infinity"}, {"double", "-Infinity", "-Infinity"},
		{"double", "1e999", "!"}, {"double", "1_000", "!"}, {"double", "0x1p4", "!"}, {"double", " 2.50 ", "2.5"},
		{"decimal(5,2)", "1.5", "1.50"}, {"decimal(5,2)", "-1.10", "-1.10"}, {"decimal(5,2)", "1.555", "!"}, {"decimal(5,2)", "1000", "!"},
		{"decimal(5,2)", "1.500", "1.50"}, {"decimal(5,2)", "999.99", "999.99"}, {"decimal(5,2)", "1,5", "!"},
		{"json", ` {"a": 1} `, `{"a": 1}`}, {"json", "{a:1}", "!"}, {"json", "null", "null"}, {"json", "[1,]", "!"}, {"json", "", "-"},
		{"date", "2026-01-05", "2026-01-05"}, {"date", "2026-02-30", "!"}, {"date", "soon", "!"},
		{"timestamp", "2026-01-05 10:00:00", "2026-01-05T10:00:00.000Z"}, {"timestamp", "1767571200", "2026-01-05T00:00:00.000Z"}, {"timestamp", "0", "-"}, {"timestamp", "x", "!"},
	}
	for _, typ := range strings.Fields("boolean int64 double decimal(5,2) json date timestamp") {
		t.Run(typ, func(t *testing.T) {
			a := newBed(t, fmt.Sprintf(`table "*" {
				sinks = [sink.parquet.lake]
				column "Amount" { type = %q }
			}`, typ))
			var rows [][]any
			var want []string
			for i, c := range cases {
				if c.typ != typ {
					continue
				}
				rows = append(rows, row(i, 7, c.v))
				v, rescued := c.want, "-"
				if v == "!" {
					v, rescued = "-", fmt.Sprintf(`{"amounT":%q}`, c.v)
				}
				want = append(want, fmt.Sprintf("%d %s %s", i, v, rescued))
			}
			a.run(dumpOf(1, more("e", avroPart("event_id user_id Amount"))), dumpOf(2, more("e", avroPart("event_id user_id amounT", rows...))))
			a.want("e", "event_id Amount _rescued_data", want...)
		})
	}
	a := newBed(t, `table "*" {
		sinks = [sink.parquet.lake]
		column "n" { type = "int64" }
	}`)
	a.run(dumpOf(1, more("e", avroPart("event_id user_id n:double", row(1, 7, 5.0), row(2, 7, 5.5), row(3, 7, 1e21), row(4, 7, math.NaN())))))
	a.want("e", "event_id n _rescued_data", `1 5 -`, `2 - {"n":"5.5"}`, `3 - {"n":"1e+21"}`, `4 - {"n":"NaN"}`)
}

// TestContractSpellings: two spellings are one column, spelled as at its creation;
// of a row that has both the later in columns wins and the other is rescued.
func TestContractSpellings(t *testing.T) {
	a := newBed(t, `
		table "*" {
			sinks = [sink.parquet.lake]
			column "b" { type = "int64" }
		}`)
	a.run(dumpOf(1, withColumns(more("e", avroPart("event_id user_id Zed B", row(1, 7, "z1", "x"))), "event_id user_id Zed B")))
	a.run(
		dumpOf(2, withColumns(more("e", avroPart("event_id user_id zed ZED b time", row(2, 7, "low", "up", "y", "t"), row(3, 7, "low", nil, "1", "1767571200"),
			row(4, 7, nil, "up", nil, nil))), "event_id zed ZED b time")),
		dumpOf(3, withColumns(more("e", avroPart("zed event_id:long ZED user_id:long", row("low", 5, "up", 7))), "ZED zed")))
	a.want("e", "event_id user_id Zed B _rescued_data",
		`1 7 z1 - {"B":"x"}`, `2 7 up - {"b":"y","time":"t","zed":"low"}`, `3 7 low 1 -`, `4 7 up - -`, `5 7 low - {"ZED":"up"}`)
	if got, want := a.columns("e"), "user_id event_id Zed B time _raw_user_id _dump_id _rescued_data"; got != want {
		t.Errorf("columns are %q, not %q", got, want)
	}
}

// TestContractFloatIDs: floats and doubles are no ids, wherever they come.
func TestContractFloatIDs(t *testing.T) {
	for _, typ := range []string{"float", "double"} {
		v := func(f float64) any {
			if typ == "float" {
				return float32(f)
			}
			return f
		}
		a := newBed(t, lakeTables)
		a.run(dumpOf(1,
			withColumns(more("e", avroPart("event_id user_id session_id:"+typ, row(1, 7, v(4)), row(2, 7, nil))), "event_id user_id session_id"),
			more("users", avroPart("user_id session_id:"+typ, row(1, v(5)), row(2, nil), row(3, v(6))), avroPart("user_id session_id", row(2, 9))),
			more("user_migrations", avroPart("from_user_id:"+typ+" to_user_id", row(v(1), 2)), avroPart("from_user_id to_user_id", row(1, 3), row(2, 3)))))
		a.want("e", "event_id session_id _rescued_data", `1 - {"session_id":"4"}`, `2 - -`)
		a.want("users", "user_id session_id _rescued_data", `3 9 -`)
		a.want("user_migrations", "from_user_id to_user_id", "1 3", "2 3")
		a.wantBad("user_migrations", `1 0 {"from_user_id":"1","to_user_id":"2"}`)
	}
}

// TestContractNotUTF8: invalid bytes become U+FFFD, the original is rescued as
// base64; a mask is of the original bytes, and rescues nothing.
func TestContractNotUTF8(t *testing.T) {
	a := newBed(t, `
		table "*" {
			sinks = [sink.parquet.lake]
			column "n" { type = "int64" }
		}
		mask "pii" {
			columns = ["Secret*", "r_mail"]
			method = "hmac-sha256"
			key = "k1"
		}
		mask "no" {
			columns = ["gone"]
			method = "drop"
		}
		mask "empty" {
			columns = ["void"]
			method = "null"
		}`)
	mac := func(s string) string {
		h := hmac.New(sha256.New, []byte("k1"))
		h.Write([]byte(s))
		return hex.EncodeToString(h.Sum(nil))
	}
	a.run(dumpOf(1, more("e", avroPart("event_id:string user_id secret_a SECRET_B:double r_mail gone void n s",
		row("1", 7, "a\xffb", 1.0, nil, "g", "v", "\xff", "a\xffb"), row("x", 7, "hide", 2.0, "hide", "hide", "hide", "open", "open")))))
	a.want("e", "event_id secret_a SECRET_B r_mail void n s _rescued_data",
		`1 `+mac("a\xffb")+" "+mac("1")+" - - - a\uFFFDb "+`{"n":"/w==","s":"Yf9i"}`)
	a.wantBad("e", fmt.Sprintf(`1 1 {"SECRET_B":%q,"event_id":"x","n":"open","r_mail":%q,"s":"open","secret_a":%q,"user_id":"7"}`, mac("2"), mac("hide"), mac("hide")))
	if strings.Contains(a.columns("e"), "gone") {
		t.Error("a dropped column is there")
	}
}

// TestContractReservedNames: a name that is ours, or a partition column's, gets
// one more underscore; so does one that is so but for trailing underscores.
func TestContractReservedNames(t *testing.T) {
	a := newBed(t, `table "*" { 
		sinks = [sink.parquet.lake]
		partition_by = [year(time), month(time)]
	}`)
	a.run(dumpOf(1, more("e", avroPart("event_id:long user_id:long time year Month month_ day _Dump_ID:string _raw_user_id:string canonical_user_id:string _rescued_data dump_id:string",
		row(1, 7, "1767571200", "y", "m", "m_", "d", "di", "raw", "can", "res", "plain")))))
	if got, want := a.columns("e"), "user_id event_id time year_ Month_ month__ day _Dump_ID_ _raw_user_id_ canonical_user_id_ _rescued_data_ dump_id _raw_user_id _dump_id _rescued_data"; got != want {
		t.Errorf("columns are\n%q, not\n%q", got, want)
	}
	a.want("e", "year_ Month_ month__ day _Dump_ID_ _raw_user_id_ _raw_user_id _dump_id _rescued_data_ _rescued_data @", "y m m_ d di raw 7 1 res - year=2026/month=01")
	// Names follow the partitioning; the values stay.
	a.hcl = `table "*" { 
		sinks = [sink.parquet.lake]
		partition_by = [date(time)]
	}`
	a.run()
	a.want("e", "year Month month_ day _rescued_data_ _rescued_data @", "y m m_ d res - date=2026-01-05")
	a.checkIdle()
}
