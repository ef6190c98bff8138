package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// part makes a file of nullable texts: fields by name, rows as texts in which
// a - is null.
func part(fields string, rows ...string) *File {
	f := &File{Key: fmt.Sprintf("%s|%d", fields, len(rows))}
	for _, name := range strings.Fields(fields) {
		f.Fields = append(f.Fields, Field{name, []any{"null", "string"}})
	}
	for _, row := range rows {
		var vals []any
		for _, v := range strings.Split(row, " ") {
			if v == "-" {
				vals = append(vals, nil)
			} else {
				vals = append(vals, v)
			}
		}
		f.Rows = append(f.Rows, vals)
	}
	return f
}

// dump makes a dump of one table whose manifest has no columns.
func dump(id int64, incremental bool, table string, files ...*File) *Dump {
	return &Dump{ID: id, Entries: []Entry{{Table: table, Incremental: Bool(incremental), Files: files}}}
}

func withColumns(d *Dump, columns string) *Dump {
	d.Entries[0].Columns = append([]string{}, strings.Fields(columns)...)
	return d
}

// as gives the dump's table another name.
func (d *Dump) as(table string) *Dump {
	c := *d
	c.Entries = slices.Clone(d.Entries)
	c.Entries[0].Table = table
	return &c
}

// shown are the rows of a table with some of its columns, a - for null.
func shown(t *testing.T, tb *Table, columns string) []string {
	t.Helper()
	var out []string
	for _, key := range sortedKeys(tb.Rows) {
		parts := []string{}
		for _, c := range strings.Fields(columns) {
			v, ok := tb.Rows[key].Values[c]
			switch {
			case !ok:
				t.Fatalf("row %s has no column %s among %q", key, c, slices.Sorted(maps.Keys(tb.Rows[key].Values)))
			case v == nil:
				parts = append(parts, "-")
			default:
				parts = append(parts, *v)
			}
		}
		out = append(out, strings.Join(parts, " "))
	}
	slices.Sort(out)
	return out
}

func expect(t *testing.T, s Settings, table string, mapping *Dump, applied ...*Dump) *Table {
	t.Helper()
	tb, err := Expect(applied, mapping, s, table)
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want - got +\n%s", d)
	}
}

func mapped(id int64, pairs ...string) *Dump {
	return dump(id, true, migrations, part("from_user_id to_user_id time", pairs...))
}

const ev = "event_id user_id v"

func TestNewestVersionWins(t *testing.T) {
	one := dump(1, true, "e", part(ev, "1 5 a", "1 5 b", "2 5 x"), part(ev, "1 5 c"))
	same(t, shown(t, expect(t, Plain{}, "e", nil, one), "event_id v _dump_id"), "1 c 1", "2 x 1")
	two := dump(2, true, "e", part(ev, "1 5 d"))
	for _, order := range [][]*Dump{{one, two}, {two, one}} {
		same(t, shown(t, expect(t, Plain{}, "e", nil, order...), "event_id v _dump_id"), "1 d 2", "2 x 1")
	}
	// The whole row is newest, nulls too.
	three := dump(3, true, "e", part(ev, "1 5 -"))
	same(t, shown(t, expect(t, Plain{}, "e", nil, one, three), "event_id v _dump_id"), "1 - 3", "2 x 1")
}

func TestOneKeyOfTwoUsersAreTwoRows(t *testing.T) {
	d := dump(1, true, "e", part(ev, "1 5 a", "1 6 b"))
	same(t, shown(t, expect(t, Plain{}, "e", nil, d), "event_id user_id v"), "1 5 a", "1 6 b")
}

func TestResyncVoidsWhatCameBefore(t *testing.T) {
	one, two := dump(1, true, "e", part(ev, "1 5 a")), dump(2, false, "e", part(ev, "2 5 b"))
	late := dump(3, true, "e", part(ev, "3 5 c"))
	same(t, shown(t, expect(t, Plain{}, "e", nil, one, two, late), "event_id"), "2", "3")
	empty := withColumns(dump(4, false, "e"), ev)
	tb := expect(t, Plain{}, "e", nil, one, two, late, empty)
	same(t, shown(t, tb, "event_id"))
	if !slices.Contains(tb.Columns, "v") {
		t.Error("the columns of void manifests stay")
	}
	// Of void dumps only what their manifests say.
	old := dump(1, true, "e", part("event_id user_id gone", "1 5 a"))
	if tb := expect(t, Plain{}, "e", nil, old, two); slices.Contains(tb.Columns, "gone") {
		t.Error("a void file was read for its columns")
	}
	if tb := expect(t, Plain{}, "e", nil, withColumns(old, "event_id user_id gone"), two); !slices.Contains(tb.Columns, "gone") {
		t.Error("a void manifest's columns were not taken")
	}
}

func TestIdentityCollapsesAndPartsAgain(t *testing.T) {
	one := dump(1, true, "e", part(ev, "1 5 a", "1 6 b"))
	two := dump(2, true, "e", part(ev, "1 5 c"))
	same(t, shown(t, expect(t, Plain{}, "e", mapped(2, "5 9 1"), one), "event_id user_id _raw_user_id v"), "1 6 6 b", "1 9 5 a")
	// Greatest (dump, raw user): of one dump the greater raw user, later rows or not.
	same(t, shown(t, expect(t, Plain{}, "e", mapped(2, "5 6 1"), one), "event_id user_id _raw_user_id v"), "1 6 6 b")
	same(t, shown(t, expect(t, Plain{}, "e", mapped(2, "5 6 1"), one, two), "event_id user_id _raw_user_id v"), "1 6 5 c")
	// The entry vanishes: the row is back.
	same(t, shown(t, expect(t, Plain{}, "e", mapped(3), one, two), "event_id user_id _raw_user_id v"), "1 5 5 c", "1 6 6 b")
}

func TestClosure(t *testing.T) {
	got := closure(map[int64]int64{1: 2, 2: 3, 4: 4, 5: 4, 10: 11, 11: 12, 12: 10, 9: 8, 8: 12, -7: 20, 20: -7})
	want := map[int64]int64{1: 3, 2: 3, 5: 4, 11: 10, 12: 10, 9: 10, 8: 10, 20: -7}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMappingChoosesOneTarget(t *testing.T) {
	// Null times are lowest, then time decides, then version; a self-map that is
	// chosen maps nothing; rows without ids are quarantined.
	m := mapped(7, "1 10 100", "1 11 200", "1 12 -", "2 20 -", "2 21 -", "3 30 5", "3 3 6", "x 1 1", "4 - 1")
	tb := expect(t, Plain{}, migrations, m)
	same(t, shown(t, tb, "from_user_id to_user_id canonical_user_id time _dump_id"),
		"1 11 11 1970-01-01T00:03:20.000Z 7", "2 21 21 - 7", "3 3 3 1970-01-01T00:00:06.000Z 7")
	if d := cmp.Diff([][]string{{"from_user_id"}, {"to_user_id"}}, [][]string{tb.Quarantine[0].Columns, tb.Quarantine[1].Columns}); d != "" {
		t.Error(d)
	}
	if n := len(expect(t, Plain{}, migrations, dump(8, true, migrations)).Rows); n != 0 {
		t.Errorf("files: [] is the empty mapping, not one of %d rows", n)
	}
}

func TestSessionsAndKeys(t *testing.T) {
	d := dump(1, true, "sessions", part("session_id event_id user_id v", "1 7 5 a", "1 8 5 b"))
	same(t, shown(t, expect(t, Plain{}, "sessions", nil, d), "session_id event_id v"), "1 8 b")
	d = dump(1, true, "carts", part("session_id user_id v", "1 5 a", "1 5 b"))
	same(t, shown(t, expect(t, Plain{}, "carts", nil, d), "session_id v"), "1 b")
	if n := len(expect(t, Plain{}, "x", nil, d.as("x"), dump(2, false, "x")).Rows); n != 0 {
		t.Errorf("%d rows after a resync to nothing", n)
	}
	if _, err := Expect([]*Dump{dump(1, true, "x", part("user_id", "1"))}, nil, Plain{}, "x"); err == nil {
		t.Error("a table without a key was accepted")
	}
}

func TestQuarantine(t *testing.T) {
	bad := part(ev, "1 5 a", "x 5 b", "2 - c", "- 1.5 d")
	one := dump(1, true, "e", part(ev), bad)
	tb := expect(t, Plain{}, "e", nil, one)
	same(t, shown(t, tb, "event_id v"), "1 a")
	want := []Quarantined{
		{Dump: 1, File: bad.Key, At: 1, Row: 1, Columns: []string{"event_id"}},
		{Dump: 1, File: bad.Key, At: 1, Row: 2, Columns: []string{"user_id"}},
		{Dump: 1, File: bad.Key, At: 1, Row: 3, Columns: []string{"user_id", "event_id"}},
	}
	if d := cmp.Diff(want, tb.Quarantine); d != "" {
		t.Error(d)
	}
	if q := expect(t, Plain{}, "e", nil, one, dump(2, false, "e")).Quarantine; len(q) != 0 {
		t.Error("rows of void dumps stay in the quarantine")
	}
	f := &File{Fields: []Field{{"user_id", "double"}, {"event_id", "long"}}, Rows: [][]any{{5.0, int64(1)}}}
	if q := expect(t, Plain{}, "e", nil, dump(1, true, "e", f)).Quarantine; len(q) != 1 {
		t.Error("a double was taken for an id")
	}
	// Elsewhere a bad id is null and rescued.
	tb = expect(t, Plain{}, "pageviews", nil, dump(1, true, "pageviews", part("event_id user_id session_id", "1 5 s9")))
	same(t, shown(t, tb, "session_id _rescued_data"), `- {"session_id":"s9"}`)
}

func TestUsersMerge(t *testing.T) {
	const fields = "user_id joindate last_modified email plan"
	one := dump(1, true, users, part(fields, "5 100 500 a free", "6 50 400 b -", "7 - - c x"))
	// Per raw user the greatest (dump, last_modified, version), not the last row.
	two := dump(2, true, users, part(fields, "6 60 900 - -", "6 70 800 z z", "6 - - y y"))
	tb := expect(t, Plain{}, users, nil, one, two)
	same(t, shown(t, tb, "user_id email last_modified"), "5 a 1970-01-01T00:08:20.000Z", "6 - 1970-01-01T00:15:00.000Z", "7 c -")
	// 5 and 6 and 7 are 9: latest is 6, whose email is null; then 5.
	tb = expect(t, Plain{}, users, mapped(3, "5 9 -", "6 9 -", "7 9 -"), one, two)
	same(t, shown(t, tb, "user_id joindate last_modified email plan _dump_id"),
		"9 1970-01-01T00:01:00.000Z 1970-01-01T00:15:00.000Z a free 2")
	s := Plain{Columns: map[string]Column{"email": {Merge: "max"}, "plan": {Merge: "max"}, "joindate": {Merge: "latest"}}}
	tb = expect(t, s, users, mapped(3, "5 9 -", "6 9 -", "7 9 -"), one, two)
	same(t, shown(t, tb, "joindate email plan"), "1970-01-01T00:01:00.000Z c x")
	if n := len(expect(t, Plain{}, users, mapped(3, "50 90 -"), one).Rows); n != 3 {
		t.Errorf("%d rows: one was invented", n)
	}
	for _, c := range tb.Columns {
		if c == "_raw_user_id" {
			t.Error("users have no _raw_user_id")
		}
	}
}

func TestUsersLatestTies(t *testing.T) {
	fields := "user_id last_modified email"
	a, b := dump(1, true, users, part(fields, "8 100 a", "9 - z")), dump(2, true, users, part(fields, "6 100 b", "7 100 c"))
	m := mapped(3, "6 9 -", "7 9 -", "8 9 -")
	same(t, shown(t, expect(t, Plain{}, users, m, a, b), "email"), "c") // dump before raw user
	same(t, shown(t, expect(t, Plain{}, users, m, a), "email"), "a")    // null is lowest
}

func TestUsersRescueOfTheSupplier(t *testing.T) {
	s := Plain{Columns: map[string]Column{"age": {Type: "int64"}, "n": {Type: "int64", Merge: "min"}}}
	fields := "user_id last_modified age n"
	d := dump(1, true, users, part(fields, "1 300 old 20", "2 200 7 10", "3 100 young x"))
	same(t, shown(t, expect(t, s, users, mapped(1, "1 3 -", "2 3 -"), d), "age n _rescued_data"), "7 10 -")
	// Nobody has a good value: the latest original.
	d = dump(1, true, users, part(fields, "1 300 - -", "2 200 old -", "3 100 young x"))
	same(t, shown(t, expect(t, s, users, mapped(1, "1 3 -", "2 3 -"), d), "age n _rescued_data"), `- - {"age":"old","n":"x"}`)
	// What the supplier rescued besides its value stays.
	d = dump(1, true, users, part("user_id last_modified v", "1 300 a\xff", "2 200 b\xff"))
	same(t, shown(t, expect(t, s, users, mapped(1, "1 3 -", "2 3 -"), d), "v _rescued_data"), "a\uFFFD {\"v\":\"Yf8=\"}")
}

func TestColumnsRule(t *testing.T) {
	d := withColumns(dump(1, true, "e", part("event_id user_id a b", "1 5 x y")), "a ghost event_id")
	tb := expect(t, Plain{}, "e", nil, d)
	same(t, tb.Columns, "_dump_id", "_raw_user_id", "_rescued_data", "a", "event_id", "ghost", "user_id")
	same(t, shown(t, tb, "event_id user_id a ghost _rescued_data"), "1 5 x - -")
	// Writer schemas differ; a column that stops arriving stays.
	d = dump(1, true, "e", part("event_id user_id a", "1 5 x"), part("event_id user_id b", "2 5 y"))
	same(t, shown(t, expect(t, Plain{}, "e", nil, d, dump(2, true, "e", part("event_id user_id", "3 5"))), "event_id a b"), "1 x -", "2 - y", "3 - -")
}

func TestExplicitColumns(t *testing.T) {
	d := dump(1, true, "e", part("event_id user_id A b", "1 5 x y"))
	s := Plain{Mode: "ignore", List: []string{"a", "c"}}
	tb := expect(t, s, "e", nil, d)
	same(t, tb.Columns, "_dump_id", "_raw_user_id", "_rescued_data", "a", "event_id", "user_id")
	same(t, tb.Optional, "c")
	same(t, shown(t, tb, "a _rescued_data"), "x -")
	if set, held := AppliedFor([]*Dump{d}, "e", Plain{Mode: "freeze", List: []string{"a"}}); len(set) != 0 || !held {
		t.Error("freeze took a column that is not listed")
	}
	if _, held := AppliedFor([]*Dump{d}, "e", Plain{Mode: "freeze", List: []string{"A", "B"}}); held {
		t.Error("freeze compares with case, or does not know keys")
	}
}

func TestNames(t *testing.T) {
	s := Plain{By: "time", Levels: []string{"year", "month"}, Columns: map[string]Column{"A": {As: "Alpha"}}}
	d := dump(1, true, "e", part("event_id user_id A a alpha Alpha_ Year month_ day _dump_id _Dump_id_ time Time TIME_ User_Id",
		"1 5 a b c d y m d i j 2026-01-05 noon late 7"))
	tb := expect(t, s, "e", nil, d)
	same(t, shown(t, tb, "alpha a alpha_ alpha__ year_ month__ day _dump_id_ _dump_id__ _dump_id time_ time__ user_id user_id_"), "a b c d y m d i j 1 noon late 5 7")
	if p := tb.Rows["1/5"].Partition; p != "year=2026/month=01" {
		t.Error(p)
	}
}

func TestListedNamesAndFields(t *testing.T) {
	listed := func(columns ...string) *Dump {
		d := dump(1, true, "e", part("event_id user_id Order_Total _2nd_item Plan time", "1 5 12.50 sock gold 2026-01-05"))
		d.Entries[0].Columns = append([]string{}, columns...)
		return d
	}
	// Keys and times are read, listed or not; nothing else is.
	tb := expect(t, Plain{}, "e", nil, listed())
	same(t, tb.Columns, "_dump_id", "_raw_user_id", "_rescued_data", "event_id", "time", "user_id")
	tb = expect(t, Plain{}, "e", nil, listed("Order Total", "2nd-item", "Order-Total", "plan"))
	same(t, []string{*tb.Rows["1/5"].Values["order total"], *tb.Rows["1/5"].Values["2nd-item"], *tb.Rows["1/5"].Values["plan"]}, "12.50", "sock", "gold")
	if v, ok := tb.Rows["1/5"].Values["order-total"]; v != nil || !ok {
		t.Error("two names claim one field")
	}
	// A field that is listed itself is no other's.
	tb = expect(t, Plain{}, "e", nil, listed("Order Total", "order_total"))
	same(t, []string{*tb.Rows["1/5"].Values["order_total"]}, "12.50")
	if tb.Rows["1/5"].Values["order total"] != nil {
		t.Error("a field stands for two names")
	}
	s := Plain{Columns: map[string]Column{"Order_Total": {As: "total"}, "plan": {As: "shop_plan"}}}
	tb = expect(t, s, "e", nil, listed("Order Total", "plan"))
	same(t, shown(t, tb, "total shop_plan"), "12.50 gold")
}

func TestTwoSpellingsInOneRow(t *testing.T) {
	f := part("event_id user_id Name name", "1 5 a b", "2 5 a -", "3 5 - b", "4 5 - -")
	// Without columns the later field counts.
	same(t, shown(t, expect(t, Plain{}, "e", nil, dump(1, true, "e", f)), "event_id name _rescued_data"), `1 b {"Name":"a"}`, "2 a -", "3 b -", "4 - -")
	// With columns, the later there.
	d := withColumns(dump(1, true, "e", f), "name Name event_id")
	same(t, shown(t, expect(t, Plain{}, "e", nil, d), "event_id name _rescued_data"), `1 a {"name":"b"}`, "2 a -", "3 b -", "4 - -")
	// A spelling that columns have exactly counts more than one that they have not.
	d = withColumns(dump(1, true, "e", f), "Name event_id")
	same(t, shown(t, expect(t, Plain{}, "e", nil, d), "event_id name _rescued_data"), `1 a {"name":"b"}`, "2 a -", "3 b -", "4 - -")
	// A value that is null only after its cast has won all the same.
	s := Plain{Columns: map[string]Column{"name": {Type: "int64"}}}
	d = dump(1, true, "e", part("event_id user_id Name name", "1 5 7 b"))
	same(t, shown(t, expect(t, s, "e", nil, d), "event_id name _rescued_data"), `1 - {"Name":"7","name":"b"}`)
}

func TestMasks(t *testing.T) {
	f := part("event_id user_id a A b c", "1 5 x y z w", "2 5 - - - -")
	s := Plain{Columns: map[string]Column{"a": {Mask: "hmac-sha256", Key: []byte("key")}, "b": {Mask: "drop"}, "c": {Mask: "null"}}}
	tb := expect(t, s, "e", nil, dump(1, true, "e", f))
	same(t, tb.Columns, "_dump_id", "_raw_user_id", "_rescued_data", "a", "c", "event_id", "user_id")
	same(t, shown(t, tb, "event_id a c _rescued_data"), "1 48d63ed1b4f275d350895e8a8449843b24834aefcc94c2e6e7f4c25b149a15a3 - -", "2 - - -")
}

func TestPartitions(t *testing.T) {
	s := Plain{By: "time", Levels: []string{"year", "month", "day", "hour"}}
	d := dump(1, true, "e", part("event_id user_id time", "1 5 2026-01-05T09:30:00Z", "2 5 0", "3 5 soon"))
	tb := expect(t, s, "e", nil, d)
	none := "year=__HIVE_DEFAULT_PARTITION__/month=__HIVE_DEFAULT_PARTITION__/day=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__"
	same(t, []string{tb.Rows["1/5"].Partition, tb.Rows["2/5"].Partition, tb.Rows["3/5"].Partition}, "year=2026/month=01/day=05/hour=09", none, none)
	same(t, shown(t, tb, "event_id time _rescued_data"), "1 2026-01-05T09:30:00.000Z -", "2 - -", `3 - {"time":"soon"}`)
	s = Plain{By: "born", Levels: []string{"date"}, Columns: map[string]Column{"born": {Type: "date"}}}
	tb = expect(t, s, "e", nil, dump(1, true, "e", part("event_id user_id Born", "1 5 2001-02-03")))
	same(t, []string{tb.Rows["1/5"].Partition}, "date=2001-02-03")
}

func TestTwoEntriesOfOneTable(t *testing.T) {
	d := dump(1, true, "e", part(ev, "1 5 a"))
	d.Entries = append(d.Entries, Entry{Table: "e", Incremental: Bool(true), Files: []*File{part(ev, "1 5 b")}})
	same(t, shown(t, expect(t, Plain{}, "e", nil, d), "v"), "b")
	d.Entries[1].Incremental = Bool(false)
	if _, held := AppliedFor([]*Dump{d}, "e", Plain{}); !held {
		t.Error("entries that disagree were accepted")
	}
	if n := len(d.Without("e").Entries); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestApplied(t *testing.T) {
	good := func(id int64, inc bool) *Dump { return dump(id, inc, "e", part(ev, "1 5 a")) }
	bad := func(id int64, inc bool) *Dump { d := good(id, inc); d.Entries[0].Files[0].Fault = Damaged; return d }
	unsaid := good(2, true)
	unsaid.Entries[0].Incremental = nil
	for _, c := range []struct {
		name  string
		dumps []*Dump
		want  []int64
		held  bool
	}{
		{"none", nil, nil, false},
		{"all good", []*Dump{good(2, true), good(1, true)}, []int64{1, 2}, false},
		{"greater ids wait", []*Dump{good(1, true), bad(2, true), good(3, true)}, []int64{1}, true},
		{"a resync releases", []*Dump{good(1, true), bad(2, true), good(3, false), good(4, true)}, []int64{1, 2, 3, 4}, false},
		{"a bad resync does not", []*Dump{good(1, true), bad(2, true), bad(3, false), good(4, true)}, []int64{1}, true},
		{"a bad resync holds", []*Dump{good(1, true), bad(2, false)}, []int64{1}, true},
		{"bad after the resync", []*Dump{bad(1, true), good(2, false), bad(3, true)}, []int64{1, 2}, true},
		{"no word on incremental", []*Dump{good(1, true), unsaid}, []int64{1}, true},
	} {
		set, held := AppliedFor(c.dumps, "e", Plain{})
		var ids []int64
		for _, d := range set {
			ids = append(ids, d.ID)
		}
		if !slices.Equal(ids, c.want) || held != c.held {
			t.Errorf("%s: %v, held %v", c.name, ids, held)
		}
	}
	s := Plain{FailCast: true, Columns: map[string]Column{"v": {Type: "int64"}}}
	if _, held := AppliedFor([]*Dump{good(1, true)}, "e", s); !held {
		t.Error("a failed cast did not hold the table")
	}
}

func TestMappingFor(t *testing.T) {
	one, two := mapped(1, "1 2 -"), mapped(2, "1 3 -")
	if v := MappingFor([]*Dump{two, one}, Guard{}); v.Dump != two || v.Bad {
		t.Error("not the newest")
	}
	two.Entries[0].Files[0].Fault = Missing
	if v := MappingFor([]*Dump{two, one}, Guard{}); v.Dump != one || !v.Bad {
		t.Error("a bad mapping must give way and be held")
	}
	if v := MappingFor([]*Dump{two}, Guard{}); v.Dump != nil || !v.Bad {
		t.Error("there is no good mapping")
	}
}

func TestGuardOfMappings(t *testing.T) {
	all := mapped(1, "1 9 -", "2 9 -", "3 9 -", "4 9 -")
	none, one, half := mapped(2), mapped(3, "1 9 -", "11 9 -", "12 9 -", "13 9 -"), mapped(4, "1 9 -", "4 9 -")
	g := Guard{From: 4}
	for _, c := range []struct {
		dumps         []*Dump
		g             Guard
		want, tripped *Dump
	}{
		{[]*Dump{all, none}, g, all, none},
		{[]*Dump{all, none, one}, g, all, one},
		{[]*Dump{all, none, one, half}, g, half, nil},
		{[]*Dump{all, none}, Guard{From: 5}, none, nil},
		{[]*Dump{all, none}, Guard{}, none, nil},
		{[]*Dump{none, one}, g, one, nil},
		{[]*Dump{all, none, one}, Guard{From: 4, Passed: map[int64]bool{2: true}}, one, nil},
	} {
		if v := MappingFor(c.dumps, c.g); v.Dump != c.want || v.Tripped != c.tripped {
			t.Errorf("%v: %v, held %v", c.g, v.Dump, v.Tripped)
		}
	}
}
