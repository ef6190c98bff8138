package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/failpoint"
	"reconcile/internal/feed"
	"reconcile/state"
)

// show puts a file there without its last rows.
func (a *bed) show(f *model.File, rest int) {
	a.t.Helper()
	f.Rest = rest
	a.spoilt(f, f.Fault)
}

// unfinished is a file of blocks of one row, of which the last ones are not there yet.
func unfinished(rest int, fields string, rows ...[]any) *model.File {
	f := avroPart(fields, rows...)
	f.BlockRows, f.Rest = 1, rest
	return f
}

// TestContractGrowing: a part file that is read while it is copied, and ends with a
// block, is read again when it has grown.
func TestContractGrowing(t *testing.T) {
	type content struct {
		fields string
		rows   [][]any
	}
	contents := map[string]content{
		"e":               {"event_id user_id v:string", [][]any{row(1, 10, "a"), row(2, 10, "b"), row(1, 10, "c"), row(nil, 10, "bad"), row(3, 11, "d"), row(4, nil, "bad")}},
		"sessions":        {"session_id user_id v:string", [][]any{row(1, 10, "a"), row(2, 10, "b"), row(1, 10, "c"), row(3, 11, "d"), row(3, 10, "e")}},
		feed.TableUsers:   {"user_id last_modified v:string", [][]any{row(10, "5", "a"), row(11, "5", "b"), row(10, "5", "c"), row(12, "6", "d"), row(10, "4", "e")}},
		feed.TableMapping: {"from_user_id to_user_id", [][]any{row(11, 10), row(12, 10), row(nil, 10), row(13, 12)}},
	}
	for table, c := range contents {
		for _, inc := range []bool{false, true} {
			for _, noDelta := range []bool{false, true} {
				a := newBed(t, lakeTables)
				a.tuning.NoDelta = noDelta
				n := len(c.rows)
				f := unfinished(n, c.fields, c.rows...)
				after := unfinished(0, c.fields, c.rows[0])
				entry := more(table, f, after)
				entry.Incremental = model.Bool(!inc)
				events := full("other", avroPart("event_id user_id", row(7, 11), row(8, 12), row(7, 10), row(8, 13)))
				a.run(dumpOf(1, entry, events))
				a.check()
				for rest := n - 1; rest >= 0; rest-- {
					a.show(f, rest)
					a.held(a.run())
					a.check()
					a.checkIdle()
				}
				a.held(a.run(dumpOf(2, more(table, avroPart(c.fields, c.rows[1])))))
				a.check()
			}
		}
	}
}

// TestContractGrowingBesideOthers: two dumps of one apply grow at different times,
// while a later one and a late one come.
func TestContractGrowingBesideOthers(t *testing.T) {
	a := newBed(t, lakeTables)
	one := unfinished(2, "event_id user_id v:string", row(1, 10, "a1"), row(2, 10, "b1"), row(3, 10, "c1"))
	two := unfinished(2, "event_id user_id v:string", row(2, 10, "b2"), row(4, 10, "d2"), row(3, 10, "c2"))
	a.run(dumpOf(11, more("e", one)), dumpOf(12, more("e", two)))
	a.want("e", "event_id v _dump_id", "1 a1 11", "2 b2 12")
	a.show(one, 1)
	a.held(a.run())
	a.want("e", "event_id v _dump_id", "1 a1 11", "2 b2 12")
	a.show(one, 0)
	a.held(a.run())
	a.want("e", "event_id v _dump_id", "1 a1 11", "2 b2 12", "3 c1 11")
	a.show(two, 0)
	a.held(a.run(dumpOf(13, more("e", avroPart("event_id user_id v:string", row(4, 10, "d3")))),
		dumpOf(10, more("e", avroPart("event_id user_id v:string", row(1, 10, "a0"), row(5, 10, "e0"))))))
	a.want("e", "event_id v _dump_id", "1 a1 11", "2 b2 12", "3 c2 12", "4 d3 13", "5 e0 10")
	a.checkIdle()
}

// TestContractChangedAndUnreadable: while a file that is another one cannot be read,
// the table keeps what it has and its later dumps wait. Late ones and the mapping do
// not, and what is known of the file is not forgotten.
func TestContractChangedAndUnreadable(t *testing.T) {
	part := func(rows ...[]any) *model.File { return avroPart("event_id user_id v:string", rows...) }
	a := newBed(t, lakeTables)
	f := unfinished(2, "event_id user_id v:string", row(1, 10, "a"), row(2, 11, "b"), row(3, 10, "c"))
	a.run(dumpOf(5, more("e", f)))
	f.Rest, f.Draft = 0, true
	a.spoilt(f, model.Truncated)
	wait := "e 5 " + f.Key + " the file that was read bytes skip_dump"
	a.held(a.run(dumpOf(6, more("e", part(row(4, 10, "d"))))), wait)
	a.want("e", "event_id v", "1 a")
	a.held(a.run(dumpOf(3, more("e", part(row(1, 10, "late"), row(5, 11, "e")))), dumpOf(7, full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10))))), wait)
	a.want("e", "event_id user_id v", "1 10 a", "5 10 e")
	a.held(a.run(), wait)
	f.Draft = false
	a.spoilt(f, model.None)
	a.held(a.run())
	a.want("e", "event_id user_id v", "1 10 a", "2 10 b", "3 10 c", "4 10 d", "5 10 e")
	a.check()
	a.checkIdle()
}

// TestContractChangedWaysPast: a file that is never completed is removed, which leaves
// its rows, or its dump is skipped, which takes them away.
func TestContractChangedWaysPast(t *testing.T) {
	for _, skip := range []bool{false, true} {
		a := newBed(t, lakeTables)
		f := unfinished(1, "event_id user_id", row(1, 10), row(2, 10))
		a.run(dumpOf(1, more("e", f)))
		f.Rest, f.Draft = 0, true
		a.spoilt(f, model.Truncated)
		a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10))))), "e 1 skip_dump remove")
		if skip {
			a.prelude = strings.Replace(a.prelude, "path = \"../dumps\"", "\npath = \"../dumps\"\nskip_dump \"1\" {\n tables = [\"e\"]\n reason = \"never completed\"\n}\n", 1)
			a.held(a.run())
			a.want("e", "event_id", "3")
		} else {
			a.spoilt(f, model.Missing)
			a.held(a.run())
			a.want("e", "event_id", "1", "3")
		}
		a.checkIdle()
	}
}

// TestContractChangedBelowResync: a later full resync makes a file void that is
// another one, whether or not it can be read.
func TestContractChangedBelowResync(t *testing.T) {
	for _, fault := range []model.Fault{model.None, model.Truncated, model.Damaged} {
		a := newBed(t, lakeTables)
		f := unfinished(1, "event_id user_id", row(1, 10), row(2, 10))
		a.run(dumpOf(1, more("e", f)))
		f.Rest, f.Draft = 0, true
		a.spoilt(f, fault)
		a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))), dumpOf(3, full("e", avroPart("event_id user_id", row(4, 10))))))
		a.want("e", "event_id", "4")
		a.checkIdle()
	}
}

// TestContractGrowingResyncGivenUp: what a resync was to make void is compared after
// all, by the same apply, when the resync turns out to be damaged while it is read.
func TestContractGrowingResyncGivenUp(t *testing.T) {
	a := newBed(t, lakeTables)
	f := unfinished(1, "event_id user_id", row(1, 10), row(2, 10))
	users := unfinished(1, "user_id v:string", row(10, "a"), row(11, "b"))
	a.run(dumpOf(1, more("e", f), more("users", users)))
	a.show(f, 0)
	a.show(users, 0)
	bad := avroPart("event_id user_id", row(4, 10), row(5, 10))
	badUsers := avroPart("user_id v:string", row(12, "c"))
	bad.Fault, badUsers.Fault = model.Damaged, model.Damaged
	a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 10)))), dumpOf(3, full("e", bad), full("users", badUsers))), "e 3", "users 3")
	a.want("e", "event_id", "1", "2", "3")
	a.want("users", "user_id", "10", "11")
	a.checkIdle()
	a.spoilt(bad, model.None)
	a.spoilt(badUsers, model.None)
	a.held(a.run())
	a.want("e", "event_id", "4", "5")
	a.want("users", "user_id", "12")
	a.checkIdle()
}

// TestContractGrowingResyncsGivenUp: of two resyncs one is bad, and then the other.
func TestContractGrowingResyncsGivenUp(t *testing.T) {
	a := newBed(t, lakeTables)
	one, four := unfinished(1, "event_id user_id", row(1, 10), row(2, 10)), unfinished(1, "event_id user_id", row(3, 10), row(4, 10))
	a.run(dumpOf(1, more("e", one)), dumpOf(4, more("e", four)))
	a.show(one, 0)
	a.show(four, 0)
	bad, worse := avroPart("event_id user_id", row(5, 10)), avroPart("event_id user_id", row(6, 10))
	bad.Fault, worse.Fault = model.Damaged, model.Damaged
	a.held(a.run(dumpOf(3, full("e", bad)), dumpOf(5, full("e", worse))), "e 5", "e 3")
	a.want("e", "event_id", "1", "2", "3")
	a.checkIdle()
	a.spoilt(bad, model.None)
	a.held(a.run(), "e 5")
	a.want("e", "event_id", "3", "4", "5")
	a.checkIdle()
}

// TestContractReplacedResyncGivenUp: a file is another one, or one that cannot be read,
// below a resync that turns out to be damaged while it is read.
func TestContractReplacedResyncGivenUp(t *testing.T) {
	for _, fault := range []model.Fault{model.None, model.Truncated} {
		a := newBed(t, lakeTables)
		f := unfinished(1, "event_id user_id", row(1, 10), row(2, 10))
		a.run(dumpOf(1, more("e", avroPart("event_id user_id", row(7, 10)))), dumpOf(2, more("e", f)))
		f.Rest, f.Draft = 0, true
		f.Rows = avroPart("event_id user_id", row(8, 10), row(9, 10)).Rows
		a.spoilt(f, fault)
		bad := avroPart("event_id user_id", row(4, 10))
		bad.Fault = model.Damaged
		dumps := []*model.Dump{dumpOf(3, more("e", avroPart("event_id user_id", row(3, 10)))), dumpOf(4, full("e", bad))}
		if fault != model.None {
			a.held(a.run(dumps...), "e 4", "e 2")
			a.want("e", "event_id", "1", "7")
			a.checkIdle()
			a.spoilt(f, model.None)
			a.held(a.run(), "e 4")
		} else {
			res := a.run(dumps...)
			a.held(res, "e 4")
			if len(res.Tables) != 1 || res.Tables[0].Action != plan.Rebuild {
				t.Errorf("the apply did %+v", res.Tables)
			}
		}
		a.want("e", "event_id", "3", "7", "8", "9")
		a.checkIdle()
	}
}

// TestContractReplacedResyncGivenUpLoses: the rebuild would lose rows.
func TestContractReplacedResyncGivenUpLoses(t *testing.T) {
	for _, accept := range []bool{false, true} {
		a := newBed(t, lakeTables)
		gone := avroPart("event_id user_id", row(7, 10))
		f := unfinished(1, "event_id user_id", row(1, 10), row(2, 10))
		a.run(dumpOf(1, more("e", gone)), dumpOf(2, more("e", f)))
		a.forgetDump("1")
		f.Rest, f.Draft = 0, true
		f.Rows = avroPart("event_id user_id", row(8, 10), row(9, 10)).Rows
		a.spoilt(f, model.None)
		bad := avroPart("event_id user_id", row(4, 10))
		bad.Fault = model.Damaged
		if accept {
			a.opts.AcceptLoss = []string{"e"}
		}
		res := a.run(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 10)))), dumpOf(4, full("e", bad)))
		if accept {
			a.held(res, "e 4")
			a.want("e", "event_id", "3", "8", "9")
		} else {
			a.held(res, "e 4", "e 2 dump 1 gone -accept-loss=e")
			a.want("e", "event_id", "1", "7")
		}
		a.checkIdle()
	}
}

// TestContractGone: a file that is gone changes nothing, nor does one that was
// written again without a change.
func TestContractGone(t *testing.T) {
	a := newBed(t, lakeTables)
	part := avroPart("event_id user_id", row(1, 10))
	users := avroPart("user_id", row(10))
	mapping := avroPart("from_user_id to_user_id", row(11, 10))
	a.run(dumpOf(1, full("e", part), full(feed.TableUsers, users), full(feed.TableMapping, mapping)))
	for _, f := range []*model.File{part, users, mapping} {
		at := filepath.Join(a.dir, "dumps", f.Key)
		if err := os.Chtimes(at, time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		a.checkIdle()
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
		a.checkIdle()
	}
	a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(2, 10))))))
	a.want("e", "event_id", "1", "2")
}

// TestContractGrownBesideGone: only all files of a dump tell which rows of a grown one
// are new.
func TestContractGrownBesideGone(t *testing.T) {
	a := newBed(t, lakeTables)
	grows, goes := unfinished(1, "event_id user_id", row(1, 10), row(2, 10)), avroPart("event_id user_id", row(3, 10))
	a.run(dumpOf(1, full("e", grows, goes)))
	a.show(grows, 0)
	a.spoilt(goes, model.Missing)
	a.held(a.run(dumpOf(2, more("e", avroPart("event_id user_id", row(4, 10))))), "e 1 "+goes.Key+" grown")
	a.want("e", "event_id", "1", "3")
	a.spoilt(goes, model.None)
	a.held(a.run())
	a.want("e", "event_id", "1", "2", "3", "4")
}

// TestContractReplaced: where the old bytes are not the beginning of what is there,
// the table is rebuilt.
func TestContractReplaced(t *testing.T) {
	for name, rest := range map[string]int{"longer": 0, "shorter": 3} {
		a := newBed(t, lakeTables)
		rows := [][]any{row(1, 10, "a"), row(2, 10, "b"), row(3, 11, "c"), row(4, 11, "d")}
		users := [][]any{row(10, "5", "a"), row(11, "5", "b"), row(12, "5", "b"), row(10, "6", "c")}
		pairs := [][]any{row(11, 10), row(12, 11), row(13, 10), row(14, 11)}
		parts := []*model.File{unfinished(2, "event_id user_id v:string", rows...), unfinished(2, "user_id last_modified v:string", users...), unfinished(2, "from_user_id to_user_id", pairs...)}
		for _, f := range parts {
			f.Draft = true
		}
		first := dumpOf(1, more("e", avroPart("event_id user_id v:string", row(1, 10, "0"), row(5, 12, "e"))), more(feed.TableUsers, avroPart("user_id v:string", row(13, "z"))))
		a.run(first, dumpOf(2, more("e", parts[0]), more(feed.TableUsers, parts[1]), more(feed.TableMapping, parts[2])))
		a.check()
		for _, f := range parts {
			f.Draft = false
			a.show(f, rest)
		}
		res := a.run(dumpOf(3, more("e", avroPart("event_id user_id v:string", row(3, 11, "new")))))
		a.held(res)
		for _, r := range res.Tables {
			if want := map[string]plan.Action{"e": plan.Rebuild, feed.TableUsers: plan.Rebuild, feed.TableMapping: plan.Update}[r.Name]; r.Action != want {
				t.Errorf("%s: the action of %s is %q", name, r.Name, r.Action)
			}
		}
		a.check()
		a.checkIdle()
	}
}

// TestContractReplacedAndGone: a rebuild that would lose rows waits until that is
// accepted.
func TestContractReplacedAndGone(t *testing.T) {
	part := func(rows ...[]any) *model.File { return avroPart("event_id user_id", rows...) }
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, more("e", part(row(1, 10)))))
	f := unfinished(1, "event_id user_id", row(2, 10), row(3, 10))
	f.Draft = true
	a.run(dumpOf(2, more("e", f)))
	if err := errors.Join(os.RemoveAll(filepath.Join(a.dir, "dumps", "sync_1")), os.Remove(filepath.Join(a.dir, "dumps", "manifests", "sync_1.json"))); err != nil {
		t.Fatal(err)
	}
	a.arrived = a.arrived[1:]
	f.Draft = false
	a.show(f, 0)
	later := dumpOf(3, more("e", part(row(4, 10))), more(feed.TableMapping, avroPart("from_user_id to_user_id", row(10, 9))))
	a.held(a.run(later), "e 2 dump 1 gone -accept-loss=e")
	a.want("e", "event_id user_id", "1 9", "2 9")
	a.opts.AcceptLoss = []string{"e"}
	a.held(a.run())
	a.want("e", "event_id user_id", "2 9", "3 9", "4 9")
	a.opts.AcceptLoss = nil
	a.checkIdle()
}

// TestContractChangedMapping: a mapping in force whose file is another one is read
// again, for all tables. While it cannot be read, it stays and is named.
func TestContractChangedMapping(t *testing.T) {
	a := newBed(t, lakeTables)
	f := unfinished(2, "from_user_id to_user_id", row(11, 10), row(12, 10), row(13, 12))
	a.run(dumpOf(1, full(feed.TableMapping, f), full("e", avroPart("event_id user_id", row(1, 11), row(1, 12), row(1, 13)))))
	a.want("e", "event_id user_id", "1 10", "1 12", "1 13")
	f.Rest = 1
	a.spoilt(f, model.Truncated)
	a.held(a.run(), "user_migrations 1 "+f.Key+" the file that was read bytes")
	a.want("e", "event_id user_id", "1 10", "1 12", "1 13")
	f.Fault = model.None
	a.show(f, 1)
	a.held(a.run())
	a.want("e", "event_id user_id", "1 10", "1 13")
	a.want(feed.TableMapping, "from_user_id", "11", "12")
	a.checkIdle()
	f.Draft = true
	a.show(f, 0)
	a.held(a.run())
	a.want("e", "event_id user_id", "1 10")
	a.want(feed.TableMapping, "from_user_id", "11", "12", "13")
	a.checkIdle()
}

// TestContractChangedMappingInterrupted: an apply that dies when it has stored the
// mapping that was read again leaves the tables to the next one.
func TestContractChangedMappingInterrupted(t *testing.T) {
	for _, rest := range []int{1, 0} { // the last row is for the quarantine
		for n := 1; n <= 4; n++ {
			a := newBed(t, lakeTables)
			f := unfinished(2, "from_user_id to_user_id", row(11, 10), row(12, 10), row(nil, 12))
			a.run(dumpOf(1, full(feed.TableMapping, f), full("e", avroPart("event_id user_id", row(1, 11), row(1, 12)))))
			a.show(f, rest)
			_, _, err := a.applyFailing(fmt.Sprintf("%s=error@%d", failpoint.StateCommitAfter, n))
			a.held(a.run())
			if a.check(); t.Failed() {
				t.Fatalf("%d rows are missing, after transaction %d: %v", rest, n, err)
			}
			a.checkIdle()
		}
	}
}

// TestContractGrowingCasts: what is read again was judged when it was applied.
func TestContractGrowingCasts(t *testing.T) {
	const number, fail = "table \"*\" {\n  sinks = [sink.parquet.lake]\n  column \"v\" { type = \"int64\" }\n", "  on_cast_error = \"fail\"\n"
	a := newBed(t, number+"}\n")
	f := unfinished(1, "event_id user_id v:string", row(1, 10, "bad"), row(2, 10, "7"))
	a.run(dumpOf(1, more("e", f)))
	a.hcl = number + fail + "}\n"
	a.show(f, 0)
	a.held(a.run())
	a.want("e", "event_id v", "1 -", "2 7")
}

// TestContractChangedOfOldState: of a state that does not say what was read, nothing
// is compared.
func TestContractChangedOfOldState(t *testing.T) {
	a := newBed(t, lakeTables)
	part, mapping := unfinished(1, "event_id user_id", row(1, 10), row(2, 10)), unfinished(1, "from_user_id to_user_id", row(11, 10), row(10, 9))
	a.run(dumpOf(1, full("e", part), full(feed.TableMapping, mapping)))
	a.editState(func(tx *state.Tx, snap *state.Snapshot) error {
		snap.Mapping.Read, snap.Tables["e"].Read = nil, nil
		return errors.Join(tx.SetMapping(snap.Mapping), tx.PutTable(snap.Tables["e"]))
	})
	a.show(part, 0)
	a.show(mapping, 0)
	a.checkIdle()
	a.want("e", "event_id user_id", "1 10")
}

// TestContractGrowingIsTold: the plan says which dump is read again, and an apply
// counts quarantined rows once.
func TestContractGrowingIsTold(t *testing.T) {
	a := newBed(t, lakeTables)
	f := unfinished(2, "event_id user_id", row(1, 10), row(nil, 10), row(nil, 11), row(2, 10))
	a.run(dumpOf(1, full("e", f)))
	a.show(f, 0)
	p, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := p.Tables[slices.IndexFunc(p.Tables, func(t *plan.Table) bool { return t.Name == "e" })]
	if len(e.Dumps) != 1 || !e.Dumps[0].Again || e.Dumps[0].Resync || e.Destructive() {
		t.Errorf("the plan says %+v", e.Dumps)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	res := a.run()
	if c := res.Tables[0].Counts; c.Quarantined != 1 || c.Added != 1 || c.Rows != 2 {
		t.Errorf("counted %+v", c)
	}
	a.wantBad("e", `1 1 {"user_id":"10"}`, `1 2 {"user_id":"11"}`)
}

// TestContractGrowingCounts: of a dump that is read again, the row that has the least
// version is the stored one, whose partition is left alone. plan -exact says so, too.
func TestContractGrowingCounts(t *testing.T) {
	a := newBed(t, `table "*" {
		sinks = [sink.parquet.lake]
		partition_by = [date(time)]
	}`)
	var lines [][]any
	for i := range 40 {
		lines = append(lines, row(i, 10, 1767225600000+86_400_000*i))
	}
	f := unfinished(1, "event_id user_id time:long", lines...)
	f.BlockRows = 1
	a.run(dumpOf(1, more("e", f)))
	a.show(f, 0)
	planned := a.exactPlan()["e"]
	c := a.run().Tables[0].Counts
	if c.Added != 1 || c.Replaced != 38 || c.Partitions != 39 || planned.Replaced != c.Replaced || planned.Partitions != c.Partitions {
		t.Errorf("plan -exact said %+v, apply did %+v", planned, c)
	}
	a.check()
	a.checkIdle()
}
