package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
)

// listedAs gives an entry columns whose names may hold blanks.
func listedAs(e model.Entry, columns ...string) model.Entry {
	e.Columns = append([]string{}, columns...)
	return e
}

// notices are those of the next plan, one a line.
func (a *bed) notices() string {
	a.t.Helper()
	p, err := a.engine().Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.Close()
	return strings.Join(p.Notices, "\n")
}

// said fails unless one notice of a plan has all words.
func (a *bed) said(notices string, words ...string) {
	a.t.Helper()
	if !slices.ContainsFunc(strings.Split(notices, "\n"), func(line string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
	}) {
		a.t.Errorf("no notice has %q:\n%s", words, notices)
	}
}

// TestContractExactNames: a property of the shop's own whose name differs from a key
// or a timestamp by case is another column.
func TestContractExactNames(t *testing.T) {
	a := newBed(t, `table "*" {
		sinks = [sink.parquet.lake]
		partition_by = [date(time)]
	}
	table "users" { sinks = [sink.parquet.lake] }`)
	const fields = "event_id user_id session_id time:long User_ID:string Time Session_Id:string Event_ID:string"
	a.arrive(dumpOf(1,
		full("e", avroPart(fields, row(1, 7, 11, 1767225600000, "ana@example.com", "10:30-11:00", "6f0c8b1e", "42"),
			row(2, 7, 12, 1767225600000, "5100099", nil, nil, "42"))),
		full("users", avroPart("user_id User_ID:string Joindate last_modified Last_Modified a", row(7, "x", "spring", "2026-01-01", "later", "y")))))
	notices := a.notices()
	for name, as := range map[string]string{"User_ID": "User_ID_", "Time": "Time_", "Session_Id": "Session_Id_", "Event_ID": "Event_ID_"} {
		a.said(notices, "table", " e", `"`+name+`"`, `"`+as+`"`) // "table e", or "tables e, users"
	}
	a.held(a.run())
	a.want("e", "@ event_id user_id session_id User_ID_ Time_ Session_Id_ Event_ID_ _rescued_data",
		"date=2026-01-01 1 7 11 ana@example.com 10:30-11:00 6f0c8b1e 42 -", "date=2026-01-01 2 7 12 5100099 - - 42 -")
	a.want("users", "user_id User_ID_ Joindate_ Last_Modified_ a", "7 x spring later y")
	if again := a.notices(); again != "" {
		t.Errorf("it is said again: %s", again)
	}
	a.check()
	a.checkIdle()
}

// TestContractNamesGiveWay: what the table uses otherwise, be it in whatever case and
// with underscores behind.
func TestContractNamesGiveWay(t *testing.T) {
	a := newBed(t, `table "*" {
		sinks = [sink.parquet.lake]
		partition_by = [year(time)]
		column "path" { as = "route" }
		column "_dump_id" { type = "int64" }
		column "Time_" { type = "double" }
	}`)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id time:long Time TIME_ time__ Year_ _dump_id:string route Path path",
		row(1, 7, 1767225600000, "1.5", "2.5", "c", "d", "12", "north", "other", "/a")))))
	a.want("e", "Time_ TIME__ time___ Year__ _dump_id_ route_ Path route _dump_id", "1.5 2.5 c d 12 north other /a 1")
	a.check()
	a.checkIdle()
}

// TestContractSpellingsAreNamed: two spellings are one column until a block parts
// them, and the plan in which they first meet says so, as show does.
func TestContractSpellingsAreNamed(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id plan", row(1, 7, "free")))))
	a.arrive(dumpOf(2, withColumns(more("e", avroPart("event_id user_id plan Plan", row(2, 7, "free", "GOLD"))), "event_id user_id plan Plan")))
	a.said(a.notices(), "table e", `"plan"`, `"Plan"`)
	a.run()
	a.want("e", "event_id plan _rescued_data", "1 free -", `2 GOLD {"plan":"free"}`)
	shown, err := a.engine().Inspect().Show(t.Context())
	if err != nil || len(shown.Tables) != 1 || len(shown.Tables[0].Columns) != 1 || !slices.Equal(shown.Tables[0].Columns[0].Spellings, []string{"Plan"}) {
		t.Errorf("shown are %+v, %v", shown.Tables, err)
	}
	a.hcl = strings.Replace(lakeTables, "{ sinks = [sink.parquet.lake] }", "{\n sinks = [sink.parquet.lake]\n column \"Plan\" { as = \"shop_plan\" }\n }", 1)
	a.run()
	a.want("e", "event_id plan shop_plan _rescued_data", "1 free - -", "2 free GOLD -")
	a.checkIdle()
	a.hcl = lakeTables
	a.run()
	a.want("e", "event_id plan _rescued_data", "1 free -", `2 GOLD {"plan":"free"}`)
	a.check()
	a.checkIdle()
}

// TestContractKeysUnlisted: the ids and timestamps are read and published, listed or
// not, and no column else.
func TestContractKeysUnlisted(t *testing.T) {
	for _, blocks := range []string{lakeTables, `table "e" { sinks = [sink.parquet.lake] }
		table "users" { sinks = [sink.parquet.lake] }`} {
		for _, columns := range [][]string{{"a", "time"}, {}} {
			a := newBed(t, blocks)
			res := a.run(dumpOf(1,
				listedAs(full("e", avroPart("event_id user_id session_id time:string a", row(1, 7, 3, "1767225600000", "x"))), columns...),
				listedAs(full("users", avroPart("user_id joindate b", row(7, "2026-01-01", "y"))), "b"),
				listedAs(full("user_migrations", avroPart("from_user_id to_user_id", row(7, 9))))))
			a.held(res)
			x := "x"
			if len(columns) == 0 {
				x = "-"
			}
			a.want("e", "event_id user_id session_id time a", "1 9 3 2026-01-01T00:00:00.000Z "+x)
			a.want("users", "user_id joindate b", "9 2026-01-01T00:00:00.000Z y")
			// A dump that is voided takes along what only its files brought.
			a.run(dumpOf(2, listedAs(more("e", avroPart("event_id user_id session_id", row(2, 7, 4))), "a")))
			a.run(dumpOf(3, listedAs(full("e", avroPart("event_id user_id", row(3, 7))), "a")))
			if got, want := a.columns("e"), "user_id event_id a _raw_user_id _dump_id _rescued_data"; !sameWords(got, want+" time") && !sameWords(got, want) {
				t.Errorf("columns are %q, not %q", got, want)
			}
			a.check()
			a.checkIdle()
		}
	}
}

// TestContractSpellingOfVoidDump: a column that only a file told of, under a spelling
// that its manifest does not list, goes with the dump.
func TestContractSpellingOfVoidDump(t *testing.T) {
	a := newBed(t, `table "*" {
		sinks = [sink.parquet.lake]
		column "Plan" { as = "shop_plan" }
	}
	table "users" {
		sinks = [sink.parquet.lake]
		column "Plan" { as = "shop_plan" }
	}`)
	a.run(dumpOf(1, listedAs(full("e", avroPart("event_id user_id Plan plan", row(1, 7, "GOLD", "free"))), "event_id", "user_id", "Plan"),
		listedAs(full("users", avroPart("user_id Plan plan", row(7, "GOLD", "free"))), "user_id", "Plan")))
	a.want("e", "event_id shop_plan plan", "1 GOLD free")
	a.want("users", "user_id shop_plan plan", "7 GOLD free")
	a.check()
	a.run(dumpOf(2, listedAs(full("e", avroPart("event_id user_id Plan", row(2, 7, "GOLD"))), "event_id", "user_id", "Plan"),
		listedAs(full("users", avroPart("user_id Plan", row(7, "GOLD"))), "user_id", "Plan")))
	for folder, want := range map[string]string{"e": "user_id event_id shop_plan _raw_user_id _dump_id _rescued_data", "users": "user_id shop_plan _dump_id _rescued_data"} {
		if got := a.columns(folder); !sameWords(got, want) {
			t.Errorf("the columns of %s are %q, not %q", folder, got, want)
		}
	}
	a.check()
	a.checkIdle()
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// TestContractListedNames: names that Avro does not allow are the fields of their
// Avro form, judged over all files of the entry.
func TestContractListedNames(t *testing.T) {
	a := newBed(t, `table "*" { sinks = [sink.parquet.lake] }
		table "users" { sinks = [sink.parquet.lake] }`)
	plain, mangled := avroPart("event_id user_id b", row(2, 7, "late")), avroPart("event_id user_id Order_Total _2nd_item", row(1, 7, "12.50", "sock"))
	a.arrive(dumpOf(1,
		listedAs(full("e", plain, mangled), "event_id", "user_id", "Order Total", "2nd-item", "Order-Total", "event id", "b"),
		listedAs(full("users", avroPart("user_id A_b last_modified", row(7, "\xff", "2026-01-01"))), "a b", "A b")))
	a.said(a.notices(), "dump 1", `"Order Total"`, `"Order-Total"`, `"Order_Total"`)
	a.run()
	if got := a.columns("e"); got != "user_id event_id Order Total 2nd-item Order-Total event id b _raw_user_id _dump_id _rescued_data" {
		t.Errorf("columns are %s", got)
	}
	a.check()
	a.checkIdle()
	// Blocks and masks meet the listed and the Avro name, and rescued values have the
	// names of the files.
	a.hcl = `mask "m" {
		columns = ["_2nd_item"]
		method = "null"
	}
	table "*" {
		sinks = [sink.parquet.lake]
		column "Order_Total" { type = "int64" }
	}
	table "users" {
		sinks = [sink.parquet.lake]
		column "A_b" { as = "ab" }
	}`
	a.run()
	a.want("e", "event_id _rescued_data b", `1 {"Order_Total":"12.50"} -`, "2 - late")
	a.want("users", "user_id ab _rescued_data", "7 \uFFFD "+`{"A_b":"/w=="}`)
	a.check()
	a.checkIdle()
}

// TestContractLacksKey: a part file with rows that has no field for a key holds the
// table or the mapping, and what is near is named; one without rows does not.
func TestContractLacksKey(t *testing.T) {
	a := newBed(t, lakeTables)
	mapping := more("user_migrations", avroPart("from_user_id to_user_id", row(7, 9)))
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 7))), full("users", avroPart("user_id a", row(7, "x"))), mapping))
	bad := dumpOf(2,
		more("e", avroPart("event_id user_id"), avroPart("Event_ID:long user_id", row(2, 7))),
		more("users", avroPart("userId:long a", row(8, "y"))),
		more("user_migrations", avroPart("from_user_id To_User_Id:long", row(7, 8))))
	res := a.run(bad)
	a.held(res, "e 2 no field event_id Event_ID", "users 2 no field user_id userId", "user_migrations 2 no field to_user_id To_User_Id")
	a.want("e", "event_id user_id", "1 9")
	res = a.run()
	a.held(res, "e 2 no field event_id", "users 2 no field user_id", "user_migrations 2 no field to_user_id")
	if len(res.Tables) > 0 {
		t.Errorf("a second apply changed %+v", res.Tables)
	}
	a.held(a.run(dumpOf(3, full("e", avroPart("Event_ID user_id")), full("users", avroPart("user_id", row(8))), mapping)))
	a.want("e", "event_id")
	a.want("users", "user_id", "8")
}

// TestContractNewcomers: what a delivery alone breaks holds the table that it brings,
// and the others go on.
func TestContractNewcomers(t *testing.T) {
	e := func(id int) *model.File { return avroPart("event_id user_id", row(id, 7)) }
	globs := `table "*" { sinks = [sink.parquet.lake] }
		table "check*" { partition_by = [] }
		table "*_page" { partition_by = [] }
		mask "a" {
			columns = ["email*"]
			optional = true
			method = "hmac-sha256"
			key = "a"
		}
		mask "b" {
			columns = ["*addr"]
			optional = true
			method = "hmac-sha256"
			key = "b"
		}
`
	a := newBed(t, globs)
	a.run(dumpOf(1, more("signup", e(1)), more("checkout", e(1))))
	a.held(a.run(dumpOf(2, more("signup", e(2)), more("checkout", avroPart("event_id user_id email_addr", row(2, 7, "x"))), more("SignUp", e(2)),
		more("check_page", e(2)), more("_reconcile", e(2)), more("twin", e(2)), more("Twin", e(2)))),
		"SignUp folder signup", "check_page literal", "_reconcile belongs", "twin Twin", "Twin twin", "checkout another key")
	a.want("signup", "event_id", "1", "2")
	a.want("checkout", "event_id", "1")
	for _, name := range []string{"SignUp", "check_page", "twin", "Twin"} {
		a.want(name, "event_id")
	}
	a.hcl = strings.Replace(globs, `"*addr"`, `"xaddr"`, 1) + `
		ignore "_reconcile" {}
		table "SignUp" { as = "signup2" }
		table "check_page" {
			sinks = [sink.parquet.lake]
			inherit = false
		}
		table "Twin" {}`
	a.held(a.run(), "twin Twin")
	a.want("signup2", "event_id", "2")
	a.want("Twin", "event_id", "2")
	a.want("checkout", "event_id", "1", "2")
	a.want("check_page", "event_id", "2")
}

// TestContractMalformedNewcomer: an entry that is broken in the dump that brings the
// table holds it, whatever takes it.
func TestContractMalformedNewcomer(t *testing.T) {
	for _, block := range []string{`table "*" { sinks = [sink.parquet.lake] }`, `table "e" { sinks = [sink.parquet.lake] }
		table "f" { sinks = [sink.parquet.lake] }`} {
		for _, columns := range []string{`[{"name": "event_id"}, {"name": "user_id"}]`, `["event_id", "user_id", {"name": "a"}]`, `["", "event_id", "user_id"]`,
			`["event_id", null]`, `{"event_id": "long"}`, `"event_id,user_id"`, `["a"], "columns": ["b"]`, `[5], "files": []`} {
			a := newBed(t, block)
			d := dumpOf(1, more("e", avroPart("event_id user_id a", row(1, 7, "x"))), more("f", avroPart("event_id user_id", row(1, 7))))
			if err := d.WriteFiles(a.dir + "/dumps"); err != nil {
				t.Fatal(err)
			}
			manifest := `{"dump_id": 1, "tables": [
				{"name": "e", "incremental": true, "files": ["` + d.Entries[0].Files[0].URL() + `"], "columns": ` + columns + `},
				{"name": "f", "incremental": true, "files": ["` + d.Entries[1].Files[0].URL() + `"]}]}`
			if err := os.WriteFile(filepath.Join(a.dir, "dumps", d.ManifestKey()), []byte(manifest), 0o644); err != nil {
				t.Fatal(err)
			}
			a.held(a.run(), "e 1")
			a.want("f", "event_id", "1")
		}
	}
}
