package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
)

// checked is lakeTables with checks.
func checked(checks string) string { return lakeTables + checks }

// oneCheck is a check of the table e.
func oneCheck(name, condition string) string {
	return fmt.Sprintf("check %q {\n  table = table.e\n  %s\n}\n", name, condition)
}

// priced are rows of e with a key, a user and a price, which may be nil.
func priced(rows ...[]any) *model.File { return avroPart("event_id user_id price", rows...) }

// failed lists what checks found as "name failed/judged", and the rows that they show.
func failed(res *Result) []string {
	var out []string
	for _, f := range res.Checks {
		text := fmt.Sprintf("%s %d/%d", f.Check, f.Failed, f.Judged)
		for _, r := range f.Rows {
			var values []string
			for _, v := range r.Values {
				if v == nil {
					values = append(values, "null")
				} else {
					values = append(values, *v)
				}
			}
			text += fmt.Sprintf(" %s@%d", strings.Join(values, ","), r.Dump)
		}
		for _, d := range f.Dumps {
			text += fmt.Sprintf(" %d:%d(%g)", d.Dump, d.Rows, float64(d.TwiceMedian)/2)
		}
		out = append(out, text)
	}
	return out
}

func (a *bed) found(res *Result, want ...string) {
	a.t.Helper()
	if got := failed(res); !slices.Equal(got, want) {
		a.t.Errorf("checks found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestContractCheckHolds: a check that fails holds its table, its mapping too, and no other. A
// later delivery that passes releases it.
func TestContractCheckHolds(t *testing.T) {
	a := newBed(t, checked(oneCheck("price", `not_null = ["price"]`)))
	a.held(a.run(dumpOf(1, full("e", priced(row(1, 1, "5"))), full("f", priced(row(1, 1, nil))))))
	res := a.run(dumpOf(2, more("e", priced(row(2, 2, nil), row(3, 3, "7"))), more("f", priced(row(2, 1, nil))),
		more("user_migrations", avroPart("from_user_id to_user_id", row(1, 9)))))
	a.held(res, "e 2 check.price 1 of 2 rows -accept=check.price@2")
	a.found(res, "price 1/2 2,null@2")
	if !plan.HeldByGuard(res.Holds) || res.Holds[0].Guard != "check.price" || res.Holds[0].Accept != "check.price@2" {
		t.Errorf("%+v", res.Holds)
	}
	a.want("e", "event_id user_id", "1 1")
	a.want("f", "event_id user_id", "1 9", "2 9")
	if left := a.staged(); len(left) > 0 {
		t.Errorf("staged files are left: %q", left)
	}
	res = a.run() // nothing changed: it is not staged again
	a.held(res, "e 2 check.price 1 of 2 rows -accept=check.price@2")
	a.found(res)
	a.checkIdle()
	a.held(a.run(dumpOf(3, more("e", priced(row(2, 2, "6"))))))
	a.want("e", "event_id user_id price", "1 9 5", "2 2 6", "3 3 7")
	a.checkIdle()
}

// TestContractCheckAccepted: what was accepted never trips again, and what comes later does.
func TestContractCheckAccepted(t *testing.T) {
	a := newBed(t, checked(oneCheck("price", `not_null = ["price"]`)))
	a.run(dumpOf(1, full("e", priced(row(1, 1, "5")))))
	a.held(a.run(dumpOf(2, more("e", priced(row(2, 2, nil))))), "e 2 check.price@2")
	a.opts.Accept = []string{"check.price@3"}
	a.held(a.run(), "e 2 check.price@2")
	a.opts.Accept = []string{"check.price@2"}
	a.held(a.run())
	a.want("e", "event_id price", "1 5", "2 -")
	a.opts.Accept = nil
	a.checkIdle()
	res := a.run(dumpOf(3, more("e", priced(row(3, 3, nil)))))
	a.held(res, "e 3 check.price@3")
	a.found(res, "price 1/1 3,null@3")
}

// TestContractCheckAcceptedBefore: an acceptance stays where another dump keeps the step from
// being taken, and is of the dumps of its time alone.
func TestContractCheckAcceptedBefore(t *testing.T) {
	a := newBed(t, checked(oneCheck("price", `not_null = ["price"]`)))
	a.run(dumpOf(1, full("e", priced(row(1, 1, "5")))))
	a.held(a.run(dumpOf(2, more("e", priced(row(2, 2, nil))))), "e 2 check.price@2")
	a.opts.Accept = []string{"check.price@2"}
	res := a.run(dumpOf(3, more("e", priced(row(3, 3, nil), row(4, 4, "1")))))
	a.held(res, "e 3 check.price@3")
	a.found(res, "price 1/2 3,null@3")
	a.opts.Accept = nil
	a.held(a.run(dumpOf(4, more("e", priced(row(3, 3, "9"))))))
	a.want("e", "event_id price", "1 5", "2 -", "3 9", "4 1")
}

// TestContractCheckWarns: severity "warn" says the same, and commits.
func TestContractCheckWarns(t *testing.T) {
	a := newBed(t, checked(oneCheck("price", "severity = \"warn\"\n not_null = [\"price\"]")))
	res := a.run(dumpOf(1, full("e", priced(row(1, 1, nil), row(2, 1, "1")))))
	a.held(res)
	a.found(res, "price 1/2 1,null@1")
	a.want("e", "event_id price", "1 -", "2 1")
	a.checkIdle()
}

// TestContractCheckFolding: the step is judged as a whole: what a pending dump replaces is
// not judged, nor what a resync makes void.
func TestContractCheckFolding(t *testing.T) {
	dumps := []*model.Dump{dumpOf(1, full("e", priced(row(1, 1, "5")))), dumpOf(2, more("e", priced(row(2, 2, nil)))), dumpOf(3, more("e", priced(row(2, 2, "6"))))}
	for cut := range 4 {
		a := newBed(t, checked(oneCheck("price", `not_null = ["price"]`)))
		for i, d := range dumps {
			a.arrive(d)
			if cut>>i&1 == 0 && i < 2 {
				continue
			}
			a.run()
		}
		a.held(a.run())
		a.want("e", "event_id price", "1 5", "2 6")
	}
}

// TestContractCheckChange: a change of the configuration and a rebuild judge nothing: what
// was applied never trips. A check that is new says that it judged nothing yet.
func TestContractCheckChange(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", priced(row(1, 1, nil)))))
	a.hcl = checked(oneCheck("price", `not_null = ["price"]`))
	if got := a.unjudged(); !slices.Equal(got, []string{"price e"}) {
		t.Errorf("not judged: %q", got)
	}
	a.held(a.run())
	a.hcl = checked(oneCheck("price", `not_null = ["price"]`) + "mask \"m\" {\n columns = [\"nope*\"]\n method = \"null\"\n optional = true\n}\n")
	a.held(a.run())
	a.held(a.run(dumpOf(2, more("e", priced(row(2, 2, "1"))))))
	if got := a.unjudged(); len(got) > 0 {
		t.Errorf("not judged: %q", got)
	}
	a.hcl = checked(oneCheck("price", `not_null = ["price", "user_id"]`))
	if got := a.unjudged(); !slices.Equal(got, []string{"price e"}) {
		t.Errorf("not judged: %q", got)
	}
}

// unjudged lists the checks that the plan says have judged nothing.
func (a *bed) unjudged() []string {
	a.t.Helper()
	p, err := a.engine().Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.Close()
	var out []string
	for _, u := range p.Unjudged {
		out = append(out, u.Check+" "+u.Table)
	}
	return out
}

// staged lists what lies in the places where files are staged.
func (a *bed) staged() []string {
	var out []string
	for _, line := range a.tree() {
		if strings.Contains(line, "_reconcile/staging/") {
			out = append(out, line)
		}
	}
	return out
}

// TestContractCheckColumns: columns are named as delivered or as published, nulls are of the
// published values, and what a table lacks is not judged.
func TestContractCheckColumns(t *testing.T) {
	columns := "table \"e\" {\n sinks = [sink.parquet.lake]\n column \"price\" {\n  as = \"cost\"\n  type = \"int64\"\n }\n}\ntable \"users\" { sinks = [sink.parquet.lake] }\n"
	a := newBed(t, columns+oneCheck("cost", `not_null = ["Cost"]`)+oneCheck("price", `not_null = ["price", "event_id"]`)+oneCheck("other", `not_null = ["other"]`)+
		"check \"users\" {\n table = table.users\n not_null = [\"joindate\"]\n}\n")
	res := a.run(dumpOf(1, full("e", priced(row(1, 1, "many"), row(2, 1, "1"))), full("users", avroPart("user_id joindate", row(7, nil)))))
	a.found(res, "cost 1/2 1,null@1", "price 1/2 1,null@1", "users 1/1 7,null@1")
	a.held(res, "e 1 check.cost", "e 1 check.price", "users 1 check.users")
}

// TestContractCheckAcceptedValues: what is not in the list fails, and null does not.
func TestContractCheckAcceptedValues(t *testing.T) {
	accepted := func(column, values string) string {
		return "accepted_values {\n column = \"" + column + "\"\n values = " + values + "\n }"
	}
	for _, c := range []struct{ typ, values, want string }{
		{"", `["5", "7"]`, "v 1/4 2,7.0@1"},
		{"int64", `["5", "7"]`, ""},
		{"int64", `["5"]`, "v 1/4 3,7@1"},
		{"double", `["5", "7.0"]`, ""},
		{"decimal(20,1)", `["5"]`, "v 2/4 2,7.0@1 3,7.0@1"},
		{"decimal(4,1)", `["5.0", "7"]`, ""},
	} {
		column := ""
		if c.typ != "" {
			column = "table \"e\" {\n column \"price\" { type = \"" + c.typ + "\" }\n}\n"
		}
		a := newBed(t, lakeTables+column+oneCheck("v", accepted("price", c.values)))
		res := a.run(dumpOf(1, full("e", priced(row(1, 1, "5"), row(2, 1, "7.0"), row(3, 1, "7"), row(4, 1, nil)))))
		if c.want == "" {
			a.found(res)
			continue
		}
		a.found(res, c.want)
	}
}

// TestContractCheckUnique: a row of the step may have the values of no other row of the
// table. Rows that were there before are none that fail.
func TestContractCheckUnique(t *testing.T) {
	a := newBed(t, checked(oneCheck("once", `unique = ["price"]`)))
	a.held(a.run(dumpOf(1, full("e", priced(row(1, 1, "a"), row(2, 1, nil), row(3, 2, nil))))))
	a.hcl = lakeTables
	a.run(dumpOf(2, more("e", priced(row(4, 1, "a"), row(5, 5, "b")))))
	a.hcl = checked(oneCheck("once", `unique = ["price"]`))
	a.held(a.run(dumpOf(3, more("e", priced(row(6, 6, "c"))))))
	res := a.run(dumpOf(4, more("e", priced(row(7, 7, "c"), row(8, 8, "d"), row(9, 8, "d"), row(10, 1, nil)))))
	a.found(res, "once 3/4 7,c@4 8,d@4 9,d@4")
	a.held(res, "e 4 check.once@4")
	res = a.run(dumpOf(5, more("e", priced(row(8, 8, "e"), row(7, 7, "f")))))
	a.held(res)
	a.want("e", "event_id price", "1 a", "2 -", "3 -", "4 a", "5 b", "6 c", "7 f", "8 e", "9 d", "10 -")
	plan, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestContractCheckUniqueTogether: several columns tell rows apart together.
func TestContractCheckUniqueTogether(t *testing.T) {
	a := newBed(t, checked(oneCheck("once", `unique = ["user_id", "price"]`)))
	res := a.run(dumpOf(1, full("e", priced(row(1, 1, "a"), row(2, 2, "a"), row(3, 1, "b"), row(4, 1, "b")))))
	a.found(res, "once 2/4 3,1,b@1 4,1,b@1")
}

// TestContractCheckUniqueSpills: rows beyond the memory are compared as well.
func TestContractCheckUniqueSpills(t *testing.T) {
	a := newBed(t, checked(oneCheck("once", `unique = ["price"]`)))
	a.tuning = Tuning{Memory: 1 << 12, GroupRows: 16, SpillGroup: 16}
	var rows [][]any
	for i := range 3000 {
		price := fmt.Sprint("p", i)
		if i >= 2990 {
			price = fmt.Sprint("p", i-2990)
		}
		rows = append(rows, row(i, i%7, price))
	}
	res := a.run(dumpOf(1, full("e", priced(rows...))))
	if len(res.Checks) != 1 || res.Checks[0].Failed != 20 || res.Checks[0].Judged != 3000 || len(res.Checks[0].Rows) != 10 {
		t.Errorf("%v", failed(res))
	}
}

// sized are so many rows of e, with keys from one on.
func sized(from, n int) *model.File { return someKeys(from, from+n-1) }

// TestContractCheckRows: the rows of a dump are compared with the median of those before it.
func TestContractCheckRows(t *testing.T) {
	a := newBed(t, checked(oneCheck("volume", "rows {\n min = \"50%\"\n max = \"200%\"\n }")))
	id := int64(0)
	take := func(n int) *Result {
		id++
		return a.run(dumpOf(id, more("e", sized(int(1000*id), n))))
	}
	for _, n := range []int{100, 4, 6} { // too few to compare with
		a.held(take(n))
	}
	if got := a.unjudged(); !slices.Equal(got, []string{"volume e"}) {
		t.Errorf("not judged: %q", got)
	}
	a.held(take(3)) // half of 6
	a.held(take(10))
	a.held(take(12)) // twice the median of 3 4 6 10 100
	res := take(2)
	a.found(res, "volume 1/1 7:2(8)")
	a.held(res, "e 7 check.volume@7")
	res = take(8) // still held
	a.found(res, "volume 1/2 7:2(8)")
	a.held(res, "e 8 check.volume@8")
	a.opts.Accept = []string{"check.volume@8"}
	a.held(a.run())
	a.opts.Accept = nil
	a.checkIdle()
	a.held(a.run(dumpOf(20, full("e", sized(1, 1000))))) // a resync begins anew
	for id = 20; id < 23; {
		a.held(take(1))
	}
	res = take(3)
	a.found(res, "volume 1/1 24:3(1)")
}

// TestContractCheckRowsTogether: the verdicts on dumps that are taken together are those of
// dumps that are taken one by one.
func TestContractCheckRowsTogether(t *testing.T) {
	a := newBed(t, checked(oneCheck("volume", "rows { max = \"200%\" }")))
	var dumps []*model.Dump
	for i, n := range []int{5, 5, 5, 10, 11, 5} {
		dumps = append(dumps, dumpOf(int64(i+1), more("e", sized(1000*i, n))))
	}
	a.found(a.run(dumps...), "volume 1/3 5:11(5)")
}

// TestContractCheckRowsLate: a late dump is compared with those below it.
func TestContractCheckRowsLate(t *testing.T) {
	a := newBed(t, checked(oneCheck("volume", "rows { max = \"200%\" }")))
	for i, n := range []int{2, 2, 2, 0, 4, 4, 4, 4} {
		if n > 0 {
			a.held(a.run(dumpOf(int64(i+1), more("e", sized(1000*i, n)))))
		}
	}
	a.found(a.run(dumpOf(4, more("e", sized(9000, 5)))), "volume 1/1 4:5(2)")
}

const someUsers = "check \"known\" {\n table = table.e\n users { max = %s }\n}\n"

// TestContractCheckUsers: events of users who have no row count; what the same apply brings of
// users is there already, and users stand for each other by the mapping.
func TestContractCheckUsers(t *testing.T) {
	a := newBed(t, checked(fmt.Sprintf(someUsers, "1")))
	users := func(ids ...int) *model.File {
		var rows [][]any
		for _, id := range ids {
			rows = append(rows, row(id, "5"))
		}
		return avroPart("user_id joindate", rows...)
	}
	res := a.run(dumpOf(1, full("e", priced(row(1, 1, "a"), row(2, 2, "a"), row(3, 9, "a"))), full("users", users(1, 2))))
	a.held(res)
	res = a.run(dumpOf(2, more("e", priced(row(4, 8, "a"), row(5, 7, "a"), row(6, 8, "b")))))
	a.found(res, "known 3/3 5,7@2 4,8@2 6,8@2")
	a.held(res, "e 2 check.known@2")
	// 8 stands for 1, who has a row: one event is left, which is allowed.
	a.held(a.run(dumpOf(3, more("user_migrations", avroPart("from_user_id to_user_id", row(8, 1))))))
	a.want("e", "event_id user_id _raw_user_id", "1 1 1", "2 2 2", "3 9 9", "4 1 8", "5 7 7", "6 1 8")
	a.checkIdle()
	a.hcl = checked(fmt.Sprintf(someUsers, `"50%"`))
	a.held(a.run(dumpOf(4, more("e", priced(row(7, 70, "a"), row(8, 71, "a"))), more("users", users(71)))))
	a.found(a.run(dumpOf(5, more("e", priced(row(10, 72, "a"), row(11, 73, "a"), row(12, 1, "a"))))), "known 2/3 10,72@5 11,73@5")
	a.held(a.run(dumpOf(6, more("users", users(73)))))
}

// TestContractCheckUniqueParts: rows are compared with those of files that the step does not
// write, too.
func TestContractCheckUniqueParts(t *testing.T) {
	a := newBed(t, "table \"e\" {\n sinks = [sink.parquet.lake]\n partition_by = [year(time), month(time)]\n}\n"+oneCheck("once", `unique = ["price"]`))
	at := func(key int, price, time string) *model.File {
		return avroPart("event_id user_id price time", row(key, 1, price, time))
	}
	a.held(a.run(dumpOf(1, full("e", at(1, "a", "2026-01-05")))))
	a.held(a.run(dumpOf(2, more("e", at(2, "b", "2026-02-05")))))
	a.found(a.run(dumpOf(3, more("e", at(3, "a", "2026-03-05")))), "once 1/1 3,a@3")
}

// TestContractCheckGivenUp: dumps that a table had, gave up and takes again are not judged.
func TestContractCheckGivenUp(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", priced(row(1, 1, "1")))))
	a.run(dumpOf(2, more("e", priced(row(2, 2, nil)))))
	a.hcl = checked(oneCheck("price", `not_null = ["price"]`))
	a.goTo(1)
	a.want("e", "event_id", "1")
	a.until = nil
	a.held(a.run())
	a.want("e", "event_id", "1", "2")
	a.found(a.run(dumpOf(3, more("e", priced(row(3, 2, nil))))), "price 1/1 3,null@3")
}

// TestContractCheckStopped: wherever an apply stops around a step that checks hold, nothing of
// it becomes visible, and the next one holds it; and wherever one stops that accepts it, the
// next one takes it.
func TestContractCheckStopped(t *testing.T) {
	for _, point := range []string{"stage.create", "stage.close", "sweep.before", "sweep.after", "state.commit.before", "state.commit.after", "publish.move.before", "publish.clear.before"} {
		for hit := range 4 {
			a := newBed(t, checked(oneCheck("price", `not_null = ["price"]`)))
			a.run(dumpOf(1, full("e", priced(row(1, 1, "5")))))
			a.arrive(dumpOf(2, more("e", priced(row(2, 2, nil)))))
			_, _, _ = a.applyFailing(fmt.Sprintf("%s=error@%d", point, hit+1))
			a.want("e", "event_id", "1")
			a.held(a.run(), "e 2 check.price@2")
			a.want("e", "event_id", "1")
			if left := a.staged(); len(left) > 0 {
				t.Errorf("%s: staged files are left: %q", point, left)
			}
			a.checkIdle()
			a.opts.Accept = []string{"check.price@2"}
			_, _, _ = a.applyFailing(fmt.Sprintf("%s=error@%d", point, hit+1))
			a.held(a.run())
			a.opts.Accept = nil
			a.want("e", "event_id", "1", "2")
			a.checkIdle()
		}
	}
}
