package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
)

// planned returns the plan of what is there.
func planned(a *bed) *planner.Session {
	a.t.Helper()
	p, err := a.engine().Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = p.Close() })
	return p
}

func stepOf(t *testing.T, p *planner.Session, table string) *plan.Table {
	t.Helper()
	i := slices.IndexFunc(p.Tables, func(x *plan.Table) bool { return x.Name == table })
	if i < 0 {
		t.Fatalf("the plan has no table %s", table)
	}
	return p.Tables[i]
}

// TestContractTimeUnit: time_unit says what plain numbers are, whatever carries them,
// in tables, in users and in the mapping; that of a column beats that of the source. A
// change is a rebuild.
func TestContractTimeUnit(t *testing.T) {
	conf := func(column string) string {
		return `
table "*" {
  sinks = [sink.parquet.lake]
  ` + column + `
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`
	}
	a := newBed(t, conf(""))
	const at = 1767571200123 // as milliseconds; as microseconds 1970-01-21
	a.run(dumpOf(1,
		full("e", avroPart("event_id user_id time joindate:long last_modified:double", row(1, 4, "1767571200123.9", at, float64(at)),
			row(2, 4, "2026-01-05", -1, -0.5), row(3, 4, "-1", 0, 0.0))),
		full("f", avroPart("event_id user_id", row(1, 4))),
		full("users", avroPart("user_id last_modified v", row(9, "5000", "five"), row(9, "1767571200123", "big"))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id time", row(4, 20, "99999999999"), row(4, 30, "100000000000")))))
	check := func(to, ms, us string, joined, modified []string) {
		t.Helper()
		a.want("e", "event_id user_id time joindate last_modified", "1 "+to+" "+ms+" "+joined[0]+" "+modified[0],
			"2 "+to+" 2026-01-05T00:00:00.000Z "+joined[1]+" "+modified[1], "3 "+to+" - - -")
		a.want("f", "event_id user_id", "1 "+to)
		a.want(feed.TableMapping, "from_user_id to_user_id time", "4 "+to+" "+us)
		a.checkIdle()
	}
	full := "2026-01-05T00:00:00.123Z"
	// By magnitude: 99999999999 are seconds, more than 100000000000 ms.
	check("20", full, "5138-11-16T09:46:39.000Z", []string{full, "-"}, []string{full, "-"})
	a.unit = "ms"
	p := planned(a)
	for _, table := range []string{"e", "users"} {
		if tp := stepOf(t, p, table); tp.Action != plan.Rebuild {
			t.Errorf("%s: action %q, %v", table, tp.Action, tp.Change)
		}
	}
	if tp := stepOf(t, p, "f"); tp.Change.Class != plan.ClassNone || !strings.Contains(strings.Join(p.Notices, " "), `time_unit is "ms", it was "auto"`) {
		t.Errorf("f: %v; notices %q", tp.Change, p.Notices)
	}
	a.run()
	check("30", full, "1973-03-03T09:46:40.000Z", []string{full, "-"}, []string{full, "-"})
	// A column of its own.
	a.hcl = conf("column \"joindate\" { time_unit = \"us\" }")
	a.run()
	short := "1970-01-21T10:59:31.200Z"
	check("30", full, "1973-03-03T09:46:40.000Z", []string{short, "-"}, []string{full, "-"})
	a.hcl, a.unit = conf("column \"joindate\" { time_unit = \"auto\" }"), "us"
	a.run()
	check("30", short, "1970-01-02T03:46:40.000Z", []string{full, "-"}, []string{short, "-"})
	a.hcl, a.unit = conf(""), ""
	a.run()
	check("20", full, "5138-11-16T09:46:39.000Z", []string{full, "-"}, []string{full, "-"})
}

// TestContractTimeUnitOfUsers: which row of a user is the latest is judged in the
// unit.
func TestContractTimeUnitOfUsers(t *testing.T) {
	a := newBed(t, "table \"users\" { sinks = [sink.parquet.lake] }\n")
	a.run(dumpOf(1, full("users", avroPart("user_id last_modified v", row(9, "99999999999", "small"), row(9, "100000000000", "great")))))
	a.want("users", "user_id last_modified v", "9 5138-11-16T09:46:39.000Z small")
	a.unit = "ms"
	a.run()
	a.want("users", "user_id last_modified v", "9 1973-03-03T09:46:40.000Z great")
	a.checkIdle()
}

// TestContractRounding: round = "half_even" rounds the decimal text of a value to the
// scale, counts, and rescues what then exceeds the precision. Adding, changing and
// removing it is a rebuild.
func TestContractRounding(t *testing.T) {
	conf := func(round string) string {
		column := "  column \"a\" {\n    type = \"decimal(6,2)\"\n" + round + "\n  }\n  column \"b\" {\n    type = \"decimal(30,2)\"\n" + round + "\n  }\n"
		return "table \"*\" {\n  sinks = [sink.parquet.lake]\n" + column + "}\ntable \"users\" {\n  sinks = [sink.parquet.lake]\n" + column + "}\n"
	}
	const half = "    round = \"half_even\""
	texts := avroPart("event_id user_id a b", row(1, 7, "19.990000000000002", "19.990000000000002"), row(2, 7, "12.345", "12.355"),
		row(3, 7, "9999.995", "-0.001"), row(4, 7, "1e-7", "1e+21"), row(5, 7, "19.99", "abc"))
	numbers := avroPart("event_id user_id a:double b:double", row(6, 7, 30.000000000000004, 1e21), row(7, 7, 1e-7, 24.900000000000002), row(8, 7, 5.0, 1e27))
	people := avroPart("user_id a b:double", row(1, "19.990000000000002", 1e-7), row(2, "x", 7.0))
	a := newBed(t, conf(""))
	res := a.run(dumpOf(1, full("e", texts, numbers), full("users", people)))
	a.want("e", "event_id a b", "1 - -", "2 - -", "3 - -", "4 - 1000000000000000000000.00", "5 19.99 -", "6 - 1000000000000000000000.00", "7 - -", "8 5.00 1000000000000000000000000000.00")
	want := func(res *Result, events, users int64) {
		t.Helper()
		for _, tr := range res.Tables {
			n := map[string]int64{"e": events, "users": users}[tr.Name]
			if tr.Counts.Rounded != n {
				t.Errorf("%s: %d values are rounded, not %d", tr.Name, tr.Counts.Rounded, n)
			}
		}
	}
	want(res, 0, 0)
	a.hcl = conf(half)
	p := planned(a)
	for _, table := range []string{"e", "users"} {
		if tp := stepOf(t, p, table); tp.Action != plan.Rebuild {
			t.Errorf("%s: action %q, %v", table, tp.Action, tp.Change)
		}
	}
	want(a.run(), 9, 2)
	rounded := []string{"1 19.99 19.99 -", "2 12.34 12.36 -", `3 - 0.00 {"a":"9999.995"}`, "4 0.00 1000000000000000000000.00 -", `5 19.99 - {"b":"abc"}`,
		"6 30.00 1000000000000000000000.00 -", "7 0.00 24.90 -", "8 5.00 1000000000000000000000000000.00 -"}
	a.want("e", "event_id a b _rescued_data", rounded...)
	a.want("users", "user_id a b _rescued_data", "1 19.99 0.00 -", `2 - 7.00 {"a":"x"}`)
	a.checkIdle()
	want(a.run(dumpOf(2, more("e", avroPart("event_id user_id a", row(9, 7, "0.005"), row(10, 7, "0.5"))))), 1, 0)
	a.want("e", "event_id a b _rescued_data", append(rounded, "9 0.00 - -", "10 0.50 - -")...)
	a.hcl = conf("")
	a.run()
	a.want("e", "event_id a", "1 -", "2 -", "3 -", "4 -", "5 19.99", "6 -", "7 -", "8 5.00", "9 -", "10 0.50")
}

// TestContractTimeUnitOfExpiredMapping: a mapping whose files are gone cannot be read
// again in another unit; it stays, which holds nothing, and the plan says so.
func TestContractTimeUnitOfExpiredMapping(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10))), full("user_migrations", avroPart("from_user_id to_user_id time", row(10, 9, "5")))))
	files, err := filepath.Glob(filepath.Join(a.dir, "dumps", "sync_1", "x", "*.avro"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	a.unit = "ms"
	a.said(a.notices(), "stays so", `"ms"`)
	a.held(a.run())
	a.want("e", "event_id user_id", "1 9")
}
