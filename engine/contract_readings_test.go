package engine

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// severalTypes is a union of everything that an id or a time can come as.
var severalTypes = []any{"null", "string", "long", "int", "double", "float", "boolean", "bytes", avroType("date"), avroType("ms"),
	avroType("tus"), avroType("enum"), avroType("fix"), avroType("dec0")}

// branchNamed finds a branch of severalTypes.
func branchNamed(t *testing.T, name string, v any) model.Branch {
	t.Helper()
	want := avroType(name)
	for i, b := range severalTypes {
		if fmt.Sprint(b) == fmt.Sprint(want) {
			if n, ok := v.(int); ok {
				v = int64(n)
			}
			return model.Branch{Index: i, Value: v}
		}
	}
	t.Fatalf("no branch %q", name)
	return model.Branch{}
}

// TestContractIDBranches: what is no id is none as the branch of a union either: in
// the keys of events, of users and of the mapping, and in other ids.
func TestContractIDBranches(t *testing.T) {
	const big = 4611686018427387905
	cases := []struct {
		typ      string
		v        any
		text, id string // no id: it fails
	}{
		{"long", big, "4611686018427387905", "4611686018427387905"}, {"int", 7, "7", "7"}, {"string", " 7 ", " 7 ", "7"}, {"bytes", []byte("7"), "7", "7"},
		{"fix", []byte("42"), "42", "42"}, {"dec0", []byte{9}, "9", "9"},
		{"double", float64(big), "4611686018427388000", ""}, {"double", 7.0, "7", ""}, {"float", float32(16777217), "16777216", ""},
		{"boolean", true, "true", ""}, {"string", "7.0", "7.0", ""}, {"date", 7, "1970-01-08", ""}, {"date", 0, "1970-01-01", ""},
		{"ms", 0, "1970-01-01T00:00:00Z", ""}, {"tus", 1 << 62, "4611686018427387904", ""}, {"enum", "BLUE", "BLUE", ""},
	}
	a := newBed(t, lakeTables)
	ids := &model.File{Fields: []model.Field{{Name: "event_id", Type: "long"}, {Name: "user_id", Type: severalTypes}}}
	others := &model.File{Fields: []model.Field{{Name: "event_id", Type: "long"}, {Name: "user_id", Type: "long"}, {Name: "session_id", Type: severalTypes}}}
	people := &model.File{Fields: []model.Field{{Name: "n", Type: "string"}, {Name: "user_id", Type: severalTypes}}}
	things := &model.File{Fields: []model.Field{{Name: "user_id", Type: "long"}, {Name: "session_id", Type: severalTypes}}}
	pairs := &model.File{Fields: []model.Field{{Name: "from_user_id", Type: severalTypes}, {Name: "to_user_id", Type: "long"}}}
	var wantIDs, wantOthers, wantThings, bad, badPairs []string
	for i, c := range cases {
		v, n := branchNamed(t, c.typ, c.v), int64(i)
		ids.Rows = append(ids.Rows, []any{n, v})
		others.Rows = append(others.Rows, []any{n, int64(1), v})
		things.Rows = append(things.Rows, []any{1000 + n, v})
		if i < 2 || c.id == "" { // one row of each person
			people.Rows = append(people.Rows, []any{fmt.Sprint(i), v})
		}
		pairs.Rows = append(pairs.Rows, []any{v, 5000 + n})
		if c.id != "" {
			wantIDs = append(wantIDs, fmt.Sprintf("%d %s", i, c.id))
			wantOthers = append(wantOthers, fmt.Sprintf("%d %s -", i, c.id))
			wantThings = append(wantThings, fmt.Sprintf("%d %s -", 1000+i, c.id))
			continue
		}
		wantOthers = append(wantOthers, fmt.Sprintf(`%d - {"session_id":%q}`, i, c.text))
		wantThings = append(wantThings, fmt.Sprintf(`%d - {"session_id":%q}`, 1000+i, c.text))
		bad = append(bad, fmt.Sprintf(`1 %d {"event_id":"%d","user_id":%q}`, i, i, c.text))
		badPairs = append(badPairs, fmt.Sprintf(`1 %d {"from_user_id":%q,"to_user_id":"%d"}`, i, c.text, 5000+i))
	}
	a.run(dumpOf(1, full("e", ids), full("pageviews", others), full("people", ids), full("users", people, things), full(feed.TableMapping, pairs)))
	a.want("e", "event_id _raw_user_id", wantIDs...)
	a.want("pageviews", "event_id session_id _rescued_data", wantOthers...)
	a.wantBad("e", bad...)
	a.wantBad(feed.TableMapping, badPairs...)
	a.want("users", "user_id session_id _rescued_data", append(wantThings, "5000 - -", "5003 - -")...)
}

// TestContractLogicalZero: a raw 0 of a logical type is no time in the timestamps of
// the contract, whatever carries it; text of 1970 is 1970, and so is a raw 0 in
// another column.
func TestContractLogicalZero(t *testing.T) {
	a := newBed(t, `
table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [year(time)]
  column "seen" { type = "timestamp" }
  column "born" { type = "date" }
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`)
	d := dumpOf(1)
	var want []string
	for i, c := range []struct {
		typ  string
		v    any
		null bool
		text string
	}{
		{"ms", 0, true, ""}, {"us", 0, true, ""}, {"localms", 0, true, ""}, {"date", 0, true, ""}, {"tms", 0, true, ""}, {"tus", 0, true, ""},
		{"us", 1, false, "1970-01-01T00:00:00.000Z"}, {"ms", 1, false, "1970-01-01T00:00:00.001Z"}, {"string", "1970-01-01", false, "1970-01-01T00:00:00.000Z"},
	} {
		f := avroPart(fmt.Sprintf("event_id user_id time:%s joindate:%s last_modified:%s", c.typ, c.typ, c.typ), row(i, 1, c.v, c.v, c.v))
		f.Key = fmt.Sprintf("x/%d.avro", i)
		d.Entries = append(d.Entries, more("e", f))
		v, part := c.text, "year=1970"
		if c.null {
			v, part = "-", "year=__HIVE_DEFAULT_PARTITION__"
		}
		want = append(want, fmt.Sprintf("%d %s %s %s - %s", i, v, v, v, part))
	}
	union := &model.File{Key: "x/union.avro", Fields: []model.Field{{Name: "event_id", Type: "long"}, {Name: "user_id", Type: "long"}, {Name: "time", Type: severalTypes}},
		Rows: [][]any{{int64(100), int64(1), branchNamed(t, "ms", 0)}, {int64(101), int64(1), branchNamed(t, "string", "1970-01-01T00:00:00Z")},
			{int64(102), int64(1), branchNamed(t, "ms", 1767571200000)}, {int64(103), int64(1), branchNamed(t, "double", 0.0)}}}
	d.Entries = append(d.Entries, dumpOf(1, more("e", union),
		more("f", avroPart("event_id user_id seen:ms born:date", row(1, 1, 0, 0), row(2, 1, -1, -1))),
		full("users", avroPart("user_id joindate:ms last_modified:ms v", row(1, 1767225600000, 1767225600000, "old"), row(2, 0, 0, "zero"), row(3, 0, nil, "none"))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id time:ms", row(2, 1, nil), row(3, 1, 5), row(4, 20, 0), row(4, 30, nil)))).Entries...)
	a.run(d)
	a.want("e", "event_id time joindate last_modified _rescued_data @", append(want,
		"100 - - - - year=__HIVE_DEFAULT_PARTITION__", "101 1970-01-01T00:00:00.000Z - - - year=1970",
		"102 2026-01-05T00:00:00.000Z - - - year=2026", "103 - - - - year=__HIVE_DEFAULT_PARTITION__")...)
	a.want("f", "event_id seen born", "1 1970-01-01T00:00:00.000Z 1970-01-01", "2 1969-12-31T23:59:59.999Z 1969-12-31")
	a.want("users", "user_id joindate last_modified v", "1 2026-01-01T00:00:00.000Z 2026-01-01T00:00:00.000Z old")
	a.want(feed.TableMapping, "from_user_id to_user_id time", "2 1 -", "3 1 1970-01-01T00:00:00.005Z", "4 30 -")
}

// TestContractBirthdays: columns that the configuration types take the years 1 to
// 9999, also as what partitions a table, and in users.
func TestContractBirthdays(t *testing.T) {
	cases := []struct{ in, born, seen, year string }{
		{"1955-02-24", "1955-02-24", "1955-02-24T00:00:00.000Z", "1955"}, {"1969-12-31T23:59:59.9999Z", "1969-12-31", "1969-12-31T23:59:59.999Z", "1969"},
		{"0001-01-01", "0001-01-01", "0001-01-01T00:00:00.000Z", "0001"}, {"0001-01-01T00:30:00+01:00", "!", "!", ""}, {"0000-12-31", "!", "!", ""},
		{"9999-12-31", "9999-12-31", "9999-12-31T00:00:00.000Z", "9999"}, {"10000-01-01", "!", "!", ""}, {"1970-01-01", "1970-01-01", "1970-01-01T00:00:00.000Z", "1970"},
		{"-1", "!", "!", ""}, {"-0.5", "!", "!", ""}, {"0", "-", "-", ""}, {"00.0", "-", "-", ""}, {"86400000", "1972-09-27", "1972-09-27T00:00:00.000Z", "1972"},
	}
	for _, by := range []string{"year(born)", "year(seen)", "year(seen), month(seen), day(seen)", "date(born)"} {
		columns := "  column \"born\" { type = \"date\" }\n  column \"seen\" { type = \"timestamp\" }\n"
		a := newBed(t, "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = ["+by+"]\n"+columns+"}\ntable \"users\" {\n  sinks = [sink.parquet.lake]\n"+columns+"}\n")
		events, people := avroPart("event_id user_id born seen"), avroPart("user_id born seen")
		var want, users []string
		for i, c := range cases {
			events.Rows = append(events.Rows, row(int64(i), int64(7), c.in, c.in))
			people.Rows = append(people.Rows, row(int64(i), c.in, c.in))
			born, seen, rescued := c.born, c.seen, "-"
			if born == "!" {
				born, seen, rescued = "-", "-", fmt.Sprintf(`{"born":%q,"seen":%q}`, c.in, c.in)
			}
			part := strings.NewReplacer("year(born)", "year=Y", "year(seen)", "year=Y", "month(seen)", "month=M", "day(seen)", "day=D", "date(born)", "date=Y-M-D", ", ", "/").Replace(by)
			if c.year == "" {
				part = strings.NewReplacer("=Y-M-D", "="+rules.HiveNull, "=Y", "="+rules.HiveNull, "=M", "="+rules.HiveNull, "=D", "="+rules.HiveNull).Replace(part)
			} else {
				part = strings.NewReplacer("Y", c.born[:4], "M", c.born[5:7], "D", c.born[8:]).Replace(part)
			}
			want = append(want, fmt.Sprintf("%d %s %s %s %s", i, born, seen, rescued, part))
			users = append(users, fmt.Sprintf("%d %s %s %s", i, born, seen, rescued))
		}
		// In two dumps, so that stored rows are read again.
		a.run(dumpOf(1, full("e", events), full("users", people)))
		a.want("e", "event_id born seen _rescued_data @", want...)
		a.run(dumpOf(2, more("e", avroPart("event_id user_id born seen", row(100, 7, "1955-02-24", "1955-02-24"))), more("users", avroPart("user_id born", row(100, "1900-01-01")))))
		for i, w := range want {
			if strings.HasPrefix(w, "0 ") {
				want = append(want, "100"+want[i][1:])
				break
			}
		}
		a.want("e", "event_id born seen _rescued_data @", want...)
		a.want("users", "user_id born seen _rescued_data", append(users, "100 1900-01-01 - -")...)
		a.checkIdle()
	}
}

// TestContractBirthdaysMerge: the least of merged birthdays is the oldest one.
func TestContractBirthdaysMerge(t *testing.T) {
	a := newBed(t, `
table "users" {
  sinks = [sink.parquet.lake]
  column "born" {
    type = "date"
    merge = "min"
  }
  column "died" {
    type = "timestamp"
    merge = "max"
    time_unit = "s"
  }
}`)
	a.run(dumpOf(1, full("users", avroPart("user_id born died", row(1, "1955-02-24", "-5"), row(2, "1955-02-23", "-86400.5"), row(3, "1970-01-01", "x"))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(2, 1), row(3, 1)))))
	a.want("users", "user_id born died", "1 1955-02-23 1969-12-31T23:59:55.000Z")
}
