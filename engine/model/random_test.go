package model

import (
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// richSettings are what the worlds of these tests are published with.
func richSettings(table string) Settings {
	by := "time"
	if table == users {
		by = "joindate"
	}
	return Plain{By: by, Levels: []string{"year", "month", "day"}, Columns: map[string]Column{
		"revenue": {Type: "decimal(12,2)"}, "qty": {Type: "int64"}, "ratio": {Type: "double"}, "ok": {Type: "boolean"},
		"payload": {Type: "json"}, "seen": {Type: "timestamp"}, "born": {Type: "date"}, "email": {Mask: "hmac-sha256", Key: []byte("k")},
		"plan": {Merge: "min"}, "path": {As: "url"}, "browser": {Mask: "drop"},
	}}
}

func world(seed int64, opt GenOptions) *World { return Random(rand.New(rand.NewSource(seed)), opt) }

func TestRandomIsReproducible(t *testing.T) {
	for seed := range int64(5) {
		a, b := world(seed, GenOptions{Faults: 0.1}), world(seed, GenOptions{Faults: 0.1})
		if a.String() != b.String() {
			t.Errorf("seed %d gives two worlds", seed)
		}
		x, y := t.TempDir(), t.TempDir()
		if err := a.Write(x); err != nil {
			t.Fatal(err)
		}
		if err := b.Write(y); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tree(t, x), tree(t, y)); d != "" {
			t.Error(d)
		}
	}
}

// count adds up what occurs in a world and in what must come of it.
func count(t *testing.T, w *World, n map[string]int) {
	seen := map[*File]bool{}
	for i, d := range w.Dumps {
		byTable := map[string]int{}
		for _, e := range d.Entries {
			byTable[e.Table]++
			if byTable[e.Table] > 1 {
				n["an entry twice"]++
			}
			countEntry(i, e, n, seen)
		}
		if byTable["pageviews"] == 0 {
			n["absent from a manifest"]++
		}
	}
	for _, table := range w.Tables() {
		if strings.Trim(table, "abcdefghijklmnopqrstuvwxyz_") != "" {
			n["unusual table name"]++
		}
		countContent(t, w, table, n)
	}
}

func countEntry(i int, e Entry, n map[string]int, seen map[*File]bool) {
	switch {
	case e.Incremental == nil:
		n["incremental unsaid"]++
	case !*e.Incremental && i > 0 && e.Table != migrations:
		n["resync"]++
		if len(e.Files) == 0 {
			n["resync to nothing"]++
		}
	}
	if e.Table == migrations && len(e.Files) == 0 {
		n["mapping without files"]++
	}
	if e.Columns == nil {
		n["no columns"]++
	}
	if slices.Contains(e.Columns, "ghost") {
		n["listed and not carried"]++
	}
	schemas := map[string]bool{}
	for _, f := range e.Files {
		if seen[f] {
			n["file listed again"]++
		}
		seen[f] = true
		if f.Fault != None {
			n["fault"]++
		}
		if len(f.Rows) == 0 {
			n["file of no rows"]++
		}
		n["codec "+f.Codec]++
		schemas[schemaText(f.Fields)] = true
		countFields(e, f, n)
	}
	if len(schemas) > 1 {
		n["writer schemas differ"]++
	}
}

func countFields(e Entry, f *File, n map[string]int) {
	names := map[string]bool{}
	for i, fd := range f.Fields {
		if names[fold(fd.Name)] {
			n["two spellings in a file"]++
		}
		names[fold(fd.Name)] = true
		if e.Columns != nil && !containsFold(e.Columns, fd.Name) {
			n["carried and not listed"]++
		}
		text := schemaText(fd.Type)
		for _, typ := range []string{"string", "bytes", "long", "double", "float", "boolean", "enum", "fixed", "array", "map", "record",
			"decimal", "date", "timestamp-millis", "timestamp-micros"} {
			if strings.Contains(text, `"`+typ+`"`) {
				n["type "+typ]++
			}
		}
		if fold(fd.Name) == "user_id" && strings.Contains(text, "string") {
			n["ids as text"]++
		}
		if slices.Contains(idNames, fold(fd.Name)) {
			for _, row := range f.Rows {
				if _, _, was := textOf(fd.Type, row[i]); was == real {
					n["id that is a double"]++
				}
			}
		}
		if slices.Contains(timeNames, fold(fd.Name)) {
			for _, row := range f.Rows {
				if slices.Contains(wildTimes, row[i]) {
					n["wild time"]++
				}
				if _, _, was := textOf(fd.Type, row[i]); was == zero {
					n["raw zero of a time"]++
				}
			}
		}
	}
}

func countContent(t *testing.T, w *World, table string, n map[string]int) {
	s := richSettings(table)
	applied, held := AppliedFor(w.Dumps, table, s)
	v := MappingFor(w.Dumps, Guard{})
	if held {
		n["held table"]++
		if table == migrations && v.Bad && v.Dump != nil {
			n["older mapping stands"]++
		}
	}
	tb, err := Expect(applied, v.Dump, s, table)
	if err != nil {
		t.Fatal(err)
	}
	if liveFrom(applied, table) < 0 && len(applied) > 1 {
		n["never a full"]++
	}
	n["rows of "+strings.TrimPrefix(table, "_")] += len(tb.Rows)
	n["quarantined"] += len(tb.Quarantine)
	for _, r := range tb.Rows {
		for name, v := range r.Values {
			if v != nil {
				n["value of "+name]++
			}
			if v != nil && name == "born" && *v < "1970" {
				n["before 1970"]++
			}
		}
		if strings.Contains(r.Partition, "HIVE") {
			n["default partition"]++
		}
		if raw := r.Values["_raw_user_id"]; raw != nil && *raw != *r.Values["user_id"] {
			n["re-keyed"]++
		}
	}
	if table != users && table != migrations {
		plain, _ := Expect(applied, nil, s, table)
		n["collapsed"] += len(plain.Rows) - len(tb.Rows)
		first, _ := Expect(applied[:min(1, len(applied))], nil, s, table)
		n["more than the first dump"] += len(plain.Rows) - len(first.Rows)
	}
	if table == migrations && v.Dump != nil {
		countMapping(tb, n)
	}
}

func countMapping(tb *Table, n map[string]int) {
	for from, r := range tb.Rows {
		to, canonical := *r.Values["to_user_id"], *r.Values["canonical_user_id"]
		switch {
		case from == to:
			n["self-map"]++
		case from == canonical:
			n["cycle"]++
		case to != canonical:
			n["chain"]++
		}
	}
	if len(tb.Rows) == 0 {
		n["empty mapping"]++
	}
}

func TestRandomHasEverything(t *testing.T) {
	n := map[string]int{}
	for seed := range int64(200) {
		opt := GenOptions{}
		if seed%3 == 0 {
			opt.Faults = 0.07
		}
		count(t, world(seed, opt), n)
	}
	for _, feature := range strings.Split(`an entry twice,absent from a manifest,unusual table name,incremental unsaid,resync,resync to nothing,`+
		`mapping without files,no columns,listed and not carried,carried and not listed,file listed again,fault,file of no rows,writer schemas differ,`+
		`codec null,codec deflate,codec snappy,codec zstandard,two spellings in a file,ids as text,wild time,held table,older mapping stands,`+
		`raw zero of a time,id that is a double,before 1970,`+
		`never a full,quarantined,default partition,re-keyed,collapsed,more than the first dump,self-map,cycle,chain,empty mapping,`+
		`type string,type bytes,type long,type double,type float,type boolean,type enum,type fixed,type array,type map,type record,type decimal,`+
		`type date,type timestamp-millis,type timestamp-micros,rows of pageviews,rows of sessions,rows of users,rows of user_migrations,`+
		`value of _rescued_data,value of revenue,value of qty,value of ratio,value of ok,value of payload,value of seen,value of born,value of url,`+
		`value of email,value of plan,value of _dump_id_,value of year_,value of day__,value of canonical_user_id_,value of mixed,value of place`, ",") {
		if n[feature] < 3 {
			t.Errorf("%s: %d times", feature, n[feature])
		}
	}
	if n["value of browser"] > 0 {
		t.Error("a dropped column was published")
	}
}

func TestTameWorldsAreTame(t *testing.T) {
	for seed := range int64(20) {
		w := world(seed, GenOptions{Tame: true, KeepMappings: true})
		last := 0
		for i := range w.Dumps {
			for _, table := range w.Tables() {
				applied, held := AppliedFor(w.Dumps[:i+1], table, Plain{})
				mapping := MappingFor(w.Dumps[:i+1], Guard{}).Dump
				tb, err := Expect(applied, mapping, Plain{}, table)
				if err != nil || held || len(tb.Quarantine) > 0 {
					t.Fatalf("seed %d, %s: %v %v %v", seed, table, err, held, tb.Quarantine)
				}
				for key, r := range tb.Rows {
					if v := r.Values["_rescued_data"]; v != nil {
						t.Errorf("seed %d, %s %s: rescued %s", seed, table, key, *v)
					}
				}
				if table == migrations {
					if len(tb.Rows) < last {
						t.Errorf("seed %d: mapping entries were withdrawn", seed)
					}
					last = len(tb.Rows)
				}
			}
		}
	}
}

// What the engine relies on: of everything delivered only the newest row of
// each raw key need be kept, whatever the order of arrival.
func TestOrderDoesNotMatter(t *testing.T) {
	for seed := range int64(40) {
		w := world(seed, GenOptions{})
		mapping := MappingFor(w.Dumps, Guard{}).Dump
		for _, table := range w.Tables() {
			s := richSettings(table)
			applied, _ := AppliedFor(w.Dumps, table, s)
			want, err := Expect(applied, mapping, s, table)
			if err != nil {
				t.Fatal(err)
			}
			back := slices.Clone(applied)
			slices.Reverse(back)
			got, err := Expect(back, mapping, s, table)
			if err != nil {
				t.Fatal(err)
			}
			if d := want.Diff(got.Rows); len(d) > 0 {
				t.Errorf("seed %d, %s: %q", seed, table, d)
			}
			if d := want.DiffColumns(got.Columns); len(d) > 0 {
				t.Errorf("seed %d, %s: %q", seed, table, d)
			}
		}
	}
}

func TestDiff(t *testing.T) {
	want := &Table{Columns: []string{"a", "b"}, Optional: []string{"c"}, Rows: map[string]Row{
		"1": {Partition: "p=1", Values: map[string]*string{"a": Text("x"), "b": nil}}, "2": {}}}
	got := map[string]Row{"1": {Partition: "p=2", Values: map[string]*string{"A": Text("y"), "c": nil}}, "3": {}}
	same(t, want.Diff(got), `row 1 is in "p=2" instead of "p=1"`, `row 1: a is "y" instead of "x"`, "row 2 is missing", "row 3 is there and should not be")
	same(t, want.DiffColumns([]string{"A", "c", "d"}), "column b is missing", "column d is there and should not be")
	if d := want.Diff(want.Rows); len(d) > 0 {
		t.Error(d)
	}
}

func TestShrink(t *testing.T) {
	w := world(3, GenOptions{})
	whole := w.String()
	calls := 0
	small := Shrink(w, func(w *World) bool {
		calls++
		for _, f := range w.files() {
			for i, fd := range f.Fields {
				for _, row := range f.Rows {
					if row[i] != nil && fold(fd.Name) == "user_id" {
						return true
					}
				}
			}
		}
		return false
	})
	if f := small.files(); len(small.Dumps) != 1 || len(small.Dumps[0].Entries) != 1 || len(f) != 1 || len(f[0].Rows) != 1 || len(f[0].Fields) != 1 {
		t.Errorf("after %d calls there is still\n%s", calls, small)
	}
	if w.String() != whole {
		t.Error("the world itself was changed")
	}
}
