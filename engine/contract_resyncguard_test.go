package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
)

// guarded is lakeTables with a guard for events and users.
func guarded(guard string) string {
	block := "{\n  sinks = [sink.parquet.lake]\n  guard {\n    " + guard + "\n  }\n}"
	return "table \"*\" " + block + "\ntable \"users\" " + block + "\ntable \"user_migrations\" { sinks = [sink.parquet.lake] }\n"
}

const halfOfRows = `max_removed_rows = "50%"`

// someKeys are rows from..to of user 1, as a part file.
func someKeys(from, to int) *model.File {
	var rows [][]any
	for k := from; k <= to; k++ {
		rows = append(rows, row(k, 1))
	}
	return avroPart("event_id user_id", rows...)
}

func damagedEvents(from, to int) *model.File {
	f := someKeys(from, to)
	f.Fault = model.Damaged
	return f
}

func (a *bed) has(want ...string) {
	a.t.Helper()
	a.want("e", "event_id", want...)
}

// acceptingAs applies with an -accept, and then without it.
func (a *bed) acceptingAs(name string, holds ...string) {
	a.t.Helper()
	a.opts.Accept = []string{name}
	a.held(a.run(), holds...)
	a.opts.Accept = nil
	a.held(a.run(), holds...)
	a.checkIdle()
}

// TestContractResyncRemoves: a full resync that leaves out more rows than the guard allows
// is held, with all above it; the other tables go on. An acceptance is for good.
func TestContractResyncRemoves(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	a.held(a.run(dumpOf(1, full("e", someKeys(1, 4)), full("f", someKeys(1, 4)))))
	res := a.run(dumpOf(2, full("e", someKeys(4, 9)), full("f", someKeys(3, 4))))
	a.held(res, "e 2 3 4 50% -accept=e@2")
	if !plan.HeldByGuard(res.Holds) || res.Holds[0].Accept != "e@2" || res.Holds[0].Guard != "max_removed_rows" {
		t.Errorf("%+v", res.Holds)
	}
	a.has("1", "2", "3", "4")
	a.want("f", "event_id", "3", "4") // exactly half is none too much
	a.checkIdle()
	a.held(a.run(dumpOf(3, more("e", someKeys(20, 20)), more("f", someKeys(20, 20)))), "e 2")
	a.has("1", "2", "3", "4")
	a.want("f", "event_id", "3", "4", "20")
	a.acceptingAs("e@2")
	a.has("4", "5", "6", "7", "8", "9", "20")
}

// TestContractResyncDistinct: it is distinct pairs of key and raw user that count, hidden
// ones too, and no row that lacks its key.
func TestContractResyncDistinct(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	twice := avroPart("event_id user_id", row(1, 1), row(1, 1), row(1, 2), row(2, 1), row(nil, 1), row(3, nil))
	a.run(dumpOf(1, full("e", twice), more("user_migrations", avroPart("from_user_id to_user_id", row(2, 1)))))
	a.want("e", "event_id _raw_user_id", "1 2", "2 1")
	a.held(a.run(dumpOf(2, full("e", avroPart("event_id user_id", row(1, 1), row(nil, 7))))), "e 2 of the 3 rows leaves out 2")
	a.held(a.run(dumpOf(3, full("e", avroPart("event_id user_id", row(1, 2), row(2, 1))))))
	a.want("e", "event_id _raw_user_id", "1 2", "2 1")
}

// TestContractResyncUsers: users are told by their raw ids.
func TestContractResyncUsers(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	a.run(dumpOf(1, full("users", avroPart("user_id joindate", row(1, "5"), row(2, "5"), row(2, "6"), row(3, "5")))))
	a.run(dumpOf(2, more("users", avroPart("user_id joindate", row(1, "7"), row(4, "5")))))
	a.held(a.run(dumpOf(3, full("users", avroPart("user_id joindate", row(1, "7"))))), "users 3 of the 4 rows leaves out 3 @3")
	a.want("users", "user_id", "1", "2", "3", "4")
	a.acceptingAs("users@3")
	a.want("users", "user_id", "1")
}

// TestContractEmptyResync: a resync without rows is held where there are some; without the
// guard, and of a table without rows, it is not.
func TestContractEmptyResync(t *testing.T) {
	noKeys := func() *model.File { return avroPart("event_id user_id", row(nil, 1)) }
	for name, c := range map[string]struct {
		guard         string
		first, second model.Entry
		trips         bool
	}{
		"no file":           {`empty_resync = "hold"`, full("e", someKeys(1, 2)), full("e"), true},
		"no row in a file":  {`empty_resync = "hold"`, full("e", someKeys(1, 2)), full("e", someKeys(1, 0)), true},
		"no row with a key": {`empty_resync = "hold"`, full("e", someKeys(1, 2)), full("e", noKeys()), true},
		"a row":             {`empty_resync = "hold"`, full("e", someKeys(1, 2)), full("e", someKeys(9, 9)), false},
		"taken":             {`empty_resync = "take"`, full("e", someKeys(1, 2)), full("e"), false},
		"of nothing":        {`empty_resync = "hold"`, full("e", someKeys(1, 0)), full("e"), false},
		"of no row":         {`empty_resync = "hold"`, full("e", noKeys()), full("e"), false},
		"no resync":         {`empty_resync = "hold"`, full("e", someKeys(1, 2)), more("e"), false},
		"all rows":          {`max_removed_rows = "100%"`, full("e", someKeys(1, 2)), full("e"), false},
		"any row":           {`max_removed_rows = "0%"`, full("e", someKeys(1, 2)), full("e", someKeys(2, 9)), true},
		"no row at all":     {`max_removed_rows = "0%"`, full("e", someKeys(1, 2)), full("e", someKeys(1, 9)), false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, together := range []bool{true, false} {
				a := newBed(t, guarded(c.guard))
				a.arrive(dumpOf(1, c.first))
				if !together {
					a.held(a.run())
				}
				a.arrive(dumpOf(2, c.second))
				res := a.run()
				if plan.HeldByGuard(res.Holds) != c.trips || len(res.Holds) > 1 {
					t.Errorf("together %v: %+v", together, res.Holds)
				}
				if c.trips && c.guard == `empty_resync = "hold"` && res.Holds[0].Guard != "empty_resync" {
					t.Errorf("%+v", res.Holds)
				}
			}
		})
	}
}

// TestContractResyncGroups: however the dumps of 1 to 4 are grouped, the verdicts are those
// of their order: 2 trips, what comes upon it counts for judging 4, which makes it void.
func TestContractResyncGroups(t *testing.T) {
	dumps := []*model.Dump{dumpOf(1, full("e", someKeys(1, 4))), dumpOf(2, full("e")), dumpOf(3, more("e", someKeys(5, 6))), dumpOf(4, full("e", someKeys(1, 3))),
		dumpOf(5, full("e", someKeys(3, 3)))}
	for cut := range 16 {
		a := newBed(t, guarded(halfOfRows+"\n    empty_resync = \"hold\""))
		for i, d := range dumps {
			a.arrive(d)
			if cut>>i&1 == 0 && i < 4 {
				continue
			}
			want := [][]string{nil, {"e 2 @2"}, {"e 2 @2"}, nil, {"e 5 @5"}}[i]
			a.held(a.run(), want...)
			a.checkIdle()
		}
		a.has("1", "2", "3")
		a.acceptingAs("e@5")
		a.has("3")
	}
}

// TestContractResyncVoid: files that are void are read for their keys, and one that cannot
// be read counts as empty.
func TestContractResyncVoid(t *testing.T) {
	for name, c := range map[string]struct {
		between model.Entry
		trips   bool
	}{
		"nothing between":   {more("e"), false},                                            // 2 of 4 are missing
		"one more between":  {more("e", someKeys(5, 5)), true},                             // 3 of 5
		"one that is there": {more("e", someKeys(1, 1)), false},                            // 2 of 4
		"damaged":           {more("e", damagedEvents(5, 5)), false},                       // 2 of 4
		"one of two":        {more("e", someKeys(1, 2), damagedEvents(5, 5)), false},       // 2 of 4
		"a damaged resync":  {full("e", damagedEvents(5, 5)), false},                       // it would trip itself
		"a resync":          {full("e", someKeys(3, 5)), true},                             // 3 of 3
		"a key is lacking":  {more("e", avroPart("event_ID user_id", row("5", 1))), false}, // it holds
	} {
		t.Run(name, func(t *testing.T) {
			for _, together := range []bool{true, false} {
				a := newBed(t, guarded(halfOfRows))
				a.arrive(dumpOf(1, full("e", someKeys(1, 4))))
				if !together {
					a.run()
				}
				a.arrive(dumpOf(2, c.between), dumpOf(3, full("e", someKeys(1, 2))))
				res := a.run()
				if plan.HeldByGuard(res.Holds) != c.trips {
					t.Errorf("together %v: %+v", together, res.Holds)
				}
				if !c.trips {
					a.has("1", "2")
				}
			}
		})
	}
}

// TestContractResyncBad: a resync that cannot be read is held for its file, not by a guard.
func TestContractResyncBad(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	a.run(dumpOf(1, full("e", someKeys(1, 4))))
	res := a.run(dumpOf(2, full("e", damagedEvents(1, 4))))
	a.held(res, "e 2 part-")
	if plan.HeldByGuard(res.Holds) {
		t.Errorf("%+v", res.Holds)
	}
}

// TestContractResyncFirst: the first content of a table trips nothing, whatever it is, and
// of a new table each resync is judged as if the others were applied.
func TestContractResyncFirst(t *testing.T) {
	a := newBed(t, guarded(halfOfRows+"\n    empty_resync = \"hold\""))
	a.held(a.run(dumpOf(1, full("e"), full("f", someKeys(1, 1)))))
	a.held(a.run(dumpOf(2, full("g"), full("h", someKeys(1, 4))), dumpOf(3, full("g", someKeys(1, 2)), full("h", someKeys(1, 1))), dumpOf(4, full("g"))),
		"g 4 @4", "h 3 @3")
	a.want("g", "event_id", "1", "2")
	a.want("h", "event_id", "1", "2", "3", "4")
}

// TestContractResyncApplied: what was applied without a guard does not trip when there is
// one, nor when more arrives below it, nor when the table is rebuilt.
func TestContractResyncApplied(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", someKeys(1, 4))))
	a.run(dumpOf(4, full("e", someKeys(1, 1))))
	a.hcl = guarded(`max_removed_rows = "0%"`)
	a.held(a.run())
	a.held(a.run(dumpOf(2, more("e", someKeys(5, 9)))))
	a.has("1")
	a.hcl = strings.Replace(guarded(`max_removed_rows = "0%"`), "  guard", "  column \"user_name\" { type = \"int64\" }\n  guard", 1)
	a.held(a.run())
	a.has("1")
	a.removeTree("lake/e")
	a.held(a.run())
	a.has("1")
	a.held(a.run(dumpOf(5, full("e", someKeys(2, 2)))), "e 5 @5")
	a.acceptingAs("e@5")
	a.has("2")
	a.removeTree("lake/e")
	a.held(a.run())
	a.has("2")
}

func (a *bed) removeTree(name string) {
	a.t.Helper()
	if err := os.RemoveAll(filepath.Join(a.dir, name)); err != nil {
		a.t.Fatal(err)
	}
}

// TestContractResyncUntil: what was applied, or accepted, does not trip when the table comes
// back from until_dump.
func TestContractResyncUntil(t *testing.T) {
	until := int64(1)
	for _, guarding := range []bool{true, false} {
		a := newBed(t, lakeTables)
		if guarding {
			a.hcl = guarded(halfOfRows)
		}
		a.run(dumpOf(1, full("e", someKeys(1, 4))))
		a.run(dumpOf(2, full("e", someKeys(1, 1))))
		if guarding {
			a.acceptingAs("e@2")
		}
		a.hcl = guarded(halfOfRows)
		for range 2 {
			a.until = &until
			a.held(a.run())
			a.has("1", "2", "3", "4")
			a.until = nil
			a.held(a.run())
			a.has("1")
			a.checkIdle()
		}
	}
}

// TestContractResyncTrippedCountsNot: the rows of a resync that trips are none to judge a
// later one by, which then makes it void.
func TestContractResyncTrippedCountsNot(t *testing.T) {
	for _, together := range []bool{true, false} {
		a := newBed(t, guarded(halfOfRows))
		a.run(dumpOf(1, full("e", someKeys(1, 4))))
		a.arrive(dumpOf(2, full("e", someKeys(100, 120))))
		if !together {
			a.held(a.run(), "e 2 @2")
		}
		a.held(a.run(dumpOf(3, full("e", someKeys(1, 3)))))
		a.has("1", "2", "3")
	}
}

// TestContractResyncLate: a resync that comes late, below applied dumps, is judged by what
// is below it, from the source, or by what the table still shows of that.
func TestContractResyncLate(t *testing.T) {
	for _, gone := range []bool{false, true} {
		a := newBed(t, guarded(halfOfRows))
		a.run(dumpOf(1, full("e", someKeys(1, 4))))
		a.run(dumpOf(5, more("e", someKeys(1, 2), someKeys(8, 19))))
		if gone {
			if err := os.RemoveAll(filepath.Join(a.dir, "dumps", "manifests", "sync_1.json")); err != nil {
				t.Fatal(err)
			}
		}
		want := "e 3 of the 4 rows leaves out 3"
		if gone {
			want = "e 3 of the 2 rows leaves out 2"
		}
		a.held(a.run(dumpOf(3, full("e", someKeys(1, 1)))), want)
	}
}

// TestContractResyncAcceptedWaits: an acceptance stays when something keeps the dump from
// being taken.
func TestContractResyncAcceptedWaits(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	a.run(dumpOf(1, full("e", someKeys(1, 4)), full("f", someKeys(1, 4))))
	a.held(a.run(dumpOf(2, full("e"), full("f"))), "e 2 @2", "f 2 @2")
	a.opts.Accept, a.opts.Targets = []string{"e@2"}, []string{"table.f"}
	a.held(a.run(), "f 2 @2")
	a.has("1", "2", "3", "4")
	a.opts.Accept, a.opts.Targets = nil, nil
	a.held(a.run(), "f 2 @2")
	a.has()
}

// TestContractResyncAboveBad: what a guard holds above a damaged file is named, too, as its
// acceptance makes the file void.
func TestContractResyncAboveBad(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	a.run(dumpOf(1, full("e", someKeys(1, 4))))
	a.held(a.run(dumpOf(2, more("e", damagedEvents(1, 4)))), "e 2 part-")
	a.held(a.run(dumpOf(3, full("e"))), "e 2 part-", "e 3 @3")
	a.acceptingAs("e@3")
	a.has()
}

// TestContractResyncIneffective: what no guard holds has no effect, and is said to have none.
func TestContractResyncIneffective(t *testing.T) {
	a := newBed(t, guarded(halfOfRows))
	a.run(dumpOf(1, full("e", someKeys(1, 4))))
	a.opts.Accept = []string{"e@1", "e@2", "f@2"}
	a.arrive(dumpOf(2, full("e", someKeys(1, 3))))
	p, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, name := range a.opts.Accept {
		if !slices.ContainsFunc(p.Notices, func(n string) bool { return strings.Contains(n, "-accept="+name+" has no effect") }) {
			t.Errorf("nothing is said of %s: %q", name, p.Notices)
		}
	}
}

// TestContractResyncCrash: wherever an apply with -accept fails, the next one without holds
// the table as before or has taken the resync for good.
func TestContractResyncCrash(t *testing.T) {
	for n := 1; ; n++ {
		a := newBed(t, guarded(halfOfRows))
		a.run(dumpOf(1, full("e", someKeys(1, 4))))
		a.held(a.run(dumpOf(2, full("e"))), "e 2")
		a.opts.Accept = []string{"e@2"}
		_, _, err := a.applyFailing(fmt.Sprintf("state.commit.before=error@%d", n))
		a.opts.Accept = nil
		if res := a.run(); err != nil && plan.HeldByGuard(res.Holds) {
			a.has("1", "2", "3", "4")
		} else {
			a.held(res)
			a.has()
		}
		a.checkIdle()
		if err == nil {
			break
		}
	}
}

// TestContractResyncUncounted: a resync that tripped, and that a later one made void, never
// counted: it is held where the later one is skipped, with all above it. What counted once
// passes when it comes again.
func TestContractResyncUncounted(t *testing.T) {
	skipping := func(dump int) string {
		return strings.Replace(prelude, `{ path = "../dumps" }`, fmt.Sprintf("{\n  path = \"../dumps\"\n  skip_dump \"%d\" {\n    tables = [\"e\"]\n    reason = \"x\"\n  }\n}", dump), 1)
	}
	world := func(t *testing.T) *bed {
		a := newBed(t, guarded(halfOfRows))
		a.held(a.run(dumpOf(1, full("e", someKeys(1, 4)))))
		a.held(a.run(dumpOf(2, full("e", someKeys(100, 110))), dumpOf(3, full("e", someKeys(1, 3))), dumpOf(4, more("e", someKeys(7, 7)))))
		a.has("1", "2", "3", "7")
		return a
	}
	t.Run("accepted", func(t *testing.T) {
		a := world(t)
		a.prelude = skipping(3)
		a.held(a.run(), "e 2 of the 4 rows leaves out 4")
		a.has("1", "2", "3", "4")
		a.checkIdle()
		a.acceptingAs("e@2")
		if got := len(a.got("e", "event_id")); got != 12 {
			t.Errorf("%d rows", got)
		}
		a.prelude = prelude // 3 leaves out all of 2, and counted once
		a.held(a.run())
		a.has("1", "2", "3", "7")
	})
	t.Run("put back", func(t *testing.T) {
		a := world(t)
		a.prelude = skipping(3)
		a.held(a.run(), "e 2")
		a.prelude = prelude
		a.held(a.run())
		a.has("1", "2", "3", "7")
		a.checkIdle()
	})
	t.Run("a later one makes it void again", func(t *testing.T) {
		a := world(t)
		a.prelude = skipping(3)
		a.held(a.run(dumpOf(5, full("e", someKeys(1, 3)))))
		a.has("1", "2", "3")
		a.checkIdle()
	})
	t.Run("with dumps that are gone", func(t *testing.T) {
		a := world(t)
		a.prelude = skipping(3)
		if err := os.Remove(filepath.Join(a.dir, "dumps", "manifests", "sync_4.json")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.apply(); err == nil || !strings.Contains(err.Error(), "accept-loss=e") {
			t.Errorf("the rows of dump 4 go without a word: %v", err)
		}
		a.has("1", "2", "3", "7")
	})
	t.Run("going back", func(t *testing.T) {
		a := world(t)
		two := int64(2)
		a.until = &two
		a.held(a.run(), "e 2")
		a.has("1", "2", "3", "4")
		a.until = nil
		a.held(a.run())
		a.has("1", "2", "3", "7")
	})
}

// TestContractResyncDestroyed: what counted, or was accepted, passes where a table leaves the
// configuration and comes back.
func TestContractResyncDestroyed(t *testing.T) {
	for _, keep := range []bool{true, false} {
		a := newBed(t, guarded(halfOfRows))
		a.run(dumpOf(1, full("e", someKeys(1, 4)), full("f", someKeys(1, 4))))
		a.held(a.run(dumpOf(2, full("e", someKeys(9, 9)), full("f", someKeys(1, 3)))), "e 2")
		a.acceptingAs("e@2")
		a.hcl = fmt.Sprintf("removed \"e\" { destroy = %v }\nignore \"e\" {}\nremoved \"f\" { destroy = %v }\nignore \"f\" {}\n", !keep, !keep) + guarded(`max_removed_rows = "0%"`)
		a.held(a.run())
		a.hcl = guarded(`max_removed_rows = "0%"`)
		if keep {
			a.removeTree("lake/e")
			a.removeTree("lake/f")
		}
		a.held(a.run())
		a.has("9")
		a.want("f", "event_id", "1", "2", "3")
	}
}

// countingKeys counts the rows whose keys a plan reads.
type countingKeys struct {
	planner.KeyReader
	delivered, stored int
}

func (k *countingKeys) EachDelivered(ctx context.Context, key string, id int64, f string, use func(raw, key int64) error) error {
	return k.KeyReader.EachDelivered(ctx, key, id, f, func(raw, key int64) error {
		k.delivered++
		return use(raw, key)
	})
}

func (k *countingKeys) EachStored(ctx context.Context, t planner.StoredRows, use func(raw, key, dump int64) error) error {
	return k.KeyReader.EachStored(ctx, t, func(raw, key, dump int64) error {
		k.stored++
		return use(raw, key, dump)
	})
}

// keysRead plans, and returns how many rows that read the keys of.
func (a *bed) keysRead() (delivered, stored int) {
	a.t.Helper()
	e := a.engine()
	snap, err := e.store.Load(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	e.declared.ResolveRoots(snap)
	r := e.planner()
	keys := &countingKeys{KeyReader: r.Keys}
	r.Keys = keys
	p, err := planner.MakePlan(a.t.Context(), &planner.Session{Planner: r, Snap: snap})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		a.t.Error(err)
	}
	return keys.delivered, keys.stored
}

// TestContractResyncAnyRow: whether there are rows is told by the first that are found.
func TestContractResyncAnyRow(t *testing.T) {
	a := newBed(t, guarded(`empty_resync = "hold"`))
	a.run(dumpOf(1, full("e", someKeys(1, 900))))
	a.arrive(dumpOf(2, full("e", someKeys(1, 20), someKeys(21, 40))))
	if delivered, stored := a.keysRead(); delivered != 20 || stored != 0 {
		t.Errorf("the keys of %d rows that come and of %d that there are were read", delivered, stored)
	}
	a.replace(dumpOf(2, full("e", someKeys(1, 0))))
	if delivered, stored := a.keysRead(); delivered != 0 || stored != 1 {
		t.Errorf("the keys of %d rows that come and of %d that there are were read", delivered, stored)
	}
	a.held(a.run(), "e 2 keys give rows:")
}

// TestContractResyncRemembered: what is held is judged once, as long as nothing of it changes.
func TestContractResyncRemembered(t *testing.T) {
	unread := func(a *bed, want bool) {
		t.Helper()
		if delivered, stored := a.keysRead(); (delivered+stored == 0) != want {
			t.Errorf("the keys of %d rows that come and of %d that there are were read", delivered, stored)
		}
	}
	a := newBed(t, guarded(halfOfRows))
	a.held(a.run(dumpOf(1, full("e", someKeys(1, 4))), dumpOf(2, full("e", someKeys(1, 1)))), "e 2 of the 4 rows leaves out 3")
	unread(a, true)
	a.checkIdle()
	a.held(a.run(dumpOf(3, more("user_migrations", avroPart("from_user_id to_user_id", row(1, 2))))), "e 2 of the 4 rows leaves out 3")
	unread(a, true) // the mapping moves no keys
	a.arrive(dumpOf(0, more("e", someKeys(5, 5))))
	a.held(a.run(), "e 2 of the 4 rows")
	a.hcl = guarded(`max_removed_rows = "60%"`)
	unread(a, false)
	a.held(a.run(), "e 2 more 60%")
	unread(a, true)
	a.replace(dumpOf(2, full("e", someKeys(1, 3))))
	unread(a, false)
	a.held(a.run())
	a.has("1", "2", "3")
}
