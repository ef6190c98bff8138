package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// underLock derives a plan from elsewhere again under the lock, as an apply of it does.
func (h *harness) underLock(from *plan.Plan, use func(e *Engine, l *state.Lock, p *planner.Session, stale []plan.Difference)) error {
	h.t.Helper()
	ctx := context.Background()
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	e := h.engine()
	l, err := e.Lock(ctx, "test")
	if err != nil {
		h.t.Fatal(err)
	}
	defer l.Unlock()
	if _, err := e.Recover(ctx, l); err != nil {
		h.t.Fatal(err)
	}
	p, stale, err := e.Rederive(ctx, l, from)
	if err != nil {
		return err
	}
	use(e, l, p, stale)
	return p.Close()
}

// rederive says what has changed since a plan was made.
func (h *harness) rederive(from *plan.Plan) (stale []plan.Difference) {
	h.t.Helper()
	err := h.underLock(from, func(_ *Engine, _ *state.Lock, p *planner.Session, found []plan.Difference) {
		stale = found
		if !slices.Equal(p.Dumps, from.Dumps) && len(found) == 0 {
			h.t.Errorf("it is of the dumps %d instead of %d", p.Dumps, from.Dumps)
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return stale
}

// changed is what has changed, with the sink as LAKE.
func (a *bed) changed(stale []plan.Difference) string {
	return strings.ReplaceAll(fmt.Sprint(stale), config.Resolve(a.lake()), "LAKE")
}

// What has changed since a plan was made elsewhere is named, by table and input; what
// arrived since, and what is another thing on another machine, is nothing of the kind.
func TestRederive(t *testing.T) {
	event := func(id, user int) []any { return row(id, user, "a") }
	const fields = "event_id user_id v:string"
	for name, c := range map[string]struct {
		change func(a *bed)
		want   string
	}{
		"nothing": {func(*bed) {}, "[]"},
		"later dumps": {func(a *bed) {
			a.arrive(dumpOf(5, more("e", avroPart(fields, event(5, 12)))), dumpOf(6, full("e", avroPart(fields)), full("new", avroPart("event_id user_id", row(1, 1))),
				full(feed.TableMapping, avroPart("from_user_id to_user_id", row(12, 10)))))
		}, "[]"},
		"late dumps": {func(a *bed) {
			a.arrive(dumpOf(2, more("e", avroPart(fields, event(6, 12))), full("f", avroPart("event_id user_id"))))
		}, "[]"},
		"a manifest without an id": {func(a *bed) {
			a.write("dumps/manifests/sync_9.json", `{"tables":[]}`)
		}, "[]"},
		"a changed configuration": {func(a *bed) {
			a.hcl += "table \"e\" {\n  column \"v\" { as = \"w\" }\n}\n"
		}, "[{e [the configuration]}]"},
		"comments": {func(a *bed) { a.hcl = "# to be read\n" + a.hcl }, "[]"},
		"a data file that is gone": {func(a *bed) {
			a.lose("lake", "f", false)
		}, "[{f [dump 1 is pending the files in the sink at LAKE]}]"},
		"a data file that was changed": {func(a *bed) {
			a.lose("lake", "f", true)
		}, "[{f [dump 1 is pending the files in the sink at LAKE]}]"},
		"a manifest that was changed": {func(a *bed) {
			a.replace(dumpOf(3, more("e", avroPart(fields, event(3, 12)), avroPart(fields, event(4, 12)))))
		}, "[{e [the manifest of dump 3]}]"},
		"a manifest that lists the table no more": {func(a *bed) {
			a.replace(dumpOf(3, more("f", avroPart("event_id user_id"))))
		}, "[{e [dump 3 is no longer pending]} {f [dump 3 is pending]}]"},
		"a part file that was changed": {func(a *bed) {
			a.replace(dumpOf(3, more("e", avroPart(fields, event(7, 12)))))
		}, "[{e [the file sync_3/x/part-00000.avro of dump 3]}]"},
		"a part file that is gone": {func(a *bed) {
			if err := os.Remove(filepath.Join(a.dir, "dumps/sync_3/x/part-00000.avro")); err != nil {
				a.t.Fatal(err)
			}
		}, "[{e [dump 3 is no longer pending]}]"},
		"a commit of another table": {func(a *bed) {
			a.opts.Targets = []string{"table.f"}
			a.run(dumpOf(4, more("f", avroPart("event_id user_id", row(8, 10)))))
			a.opts.Targets = nil
		}, "[{f [the commit of the table: 8, it was 4 the applied dumps the current.json of the sink at LAKE the files in the sink at LAKE]}]"},
		"a commit of a new table": {func(a *bed) {
			a.opts.Targets = []string{"table.new"}
			a.run(dumpOf(4, full("new", avroPart("event_id user_id", row(8, 10)))))
			a.opts.Targets = nil
		}, "[]"},
		"a commit of the table": {func(a *bed) {
			a.run()
		}, "[{e [the commit of the table: 8, it was 2 the applied dumps dump 3 is no longer pending the current.json of the sink at LAKE the files in the sink at LAKE]}]"},
		"another mapping": {func(a *bed) {
			a.run(dumpOf(4, full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 12)))))
		}, "the user mapping"},
		"another machine": {func(a *bed) { a.copyInto("dumps"); a.copyInto("lake"); a.copyInto("state") }, "[]"},
	} {
		for _, refresh := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, refresh=%t", name, refresh), func(t *testing.T) {
				a := twoTables(t)
				a.arrive(dumpOf(3, more("e", avroPart(fields, event(3, 12)))))
				a.opts.NoRefresh = !refresh
				from := a.planElsewhere()
				a.opts.NoRefresh = false
				c.change(a)
				got, want := a.changed(a.rederive(from)), c.want
				if !refresh { // nothing is said of what the sinks hold
					want = strings.NewReplacer(" the current.json of the sink at LAKE the files in the sink at LAKE", "", "[{f [dump 1 is pending the files in the sink at LAKE]}]", "[]").Replace(want)
				}
				if ok := got == want || want == "the user mapping" && strings.Count(got, want) == 3; !ok {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}

// copyInto puts a copy of a folder of the bed in its place, as another machine has it: with
// other inodes and times.
func (a *bed) copyInto(folder string) {
	a.t.Helper()
	at := filepath.Join(a.dir, folder)
	if err := os.Rename(at, at+".there"); err != nil {
		a.t.Fatal(err)
	}
	if err := os.CopyFS(at, os.DirFS(at+".there")); err != nil {
		a.t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(at, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chtimes(p, past, past)
		}
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// write writes a file of the bed.
func (a *bed) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// What is applied of a plan that was derived again is what it says: dumps that arrived
// since are pending still, and what is known of them is kept.
func TestRederivedIsApplied(t *testing.T) {
	a := twoTables(t)
	a.arrive(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 12)))))
	from := a.planElsewhere()
	bad := avroPart("event_id user_id", row(9, 12))
	a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(4, 12)))), dumpOf(5, more("f", bad)), dumpOf(6, full(feed.TableMapping)))
	a.rememberBad("f", 5, bad.Key)
	err := a.underLock(from, func(e *Engine, l *state.Lock, p *planner.Session, stale []plan.Difference) {
		if len(stale) > 0 {
			t.Errorf("something has changed: %v", stale)
		}
		res, err := e.Apply(t.Context(), l, p)
		if err != nil || len(res.Tables) != 1 || res.Tables[0].Name != "e" || len(res.Holds) > 0 {
			t.Errorf("%+v %v", res, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	a.want("e", "event_id user_id _dump_id", "1 10 1", "2 10 1", "3 12 3")
	if snap := a.snapshot(); len(snap.Holds) != 1 || snap.Holds[0].Dump != 5 {
		t.Errorf("held is %+v", snap.Holds)
	}
	err = a.underLock(from, func(_ *Engine, _ *state.Lock, p *planner.Session, stale []plan.Difference) {
		if p.Changes() || len(stale) > 0 {
			t.Errorf("what was applied is planned again: %v, %+v", stale, p.Tables)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	a.held(a.run(), "f 5 bad of old")
	a.want("e", "event_id user_id _dump_id", "1 10 1", "2 11 1", "3 12 3", "4 12 2")
}

// rememberBad has the state know that a part file is bad.
func (a *bed) rememberBad(table string, dump int64, key string) {
	a.t.Helper()
	e := a.engine()
	l, err := e.Lock(a.t.Context(), "test")
	if err != nil {
		a.t.Fatal(err)
	}
	defer l.Unlock()
	obj, err := e.source.Stat(a.t.Context(), key)
	if err != nil {
		a.t.Fatal(err)
	}
	err = l.Update(a.t.Context(), func(tx *state.Tx) error {
		return tx.PutHold(state.Hold{Table: table, Dump: dump, File: key, Pin: obj.Pin, Reason: "bad of old"})
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// A plan that was made while a commit was not visible yet is no other one after that is
// finished.
func TestRederiveAfterRecovery(t *testing.T) {
	for _, point := range []string{"publish.current.incomplete=error@1", "publish.move.before=error", "publish.clear.before=error"} {
		a := twoTables(t)
		a.arrive(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 12)))))
		a.interruptAt(point)
		a.arrive(dumpOf(4, more("e", avroPart("event_id user_id", row(4, 12)))))
		from := a.planElsewhere()
		if !slices.Equal(from.Recover, []string{"e"}) {
			t.Fatalf("%s: the plan recovers %q", point, from.Recover)
		}
		if stale := a.rederive(from); len(stale) > 0 {
			t.Errorf("%s: %v", point, stale)
		}
		a.run()
		a.checkIdle()
	}
}

// A plan of another state, also of one that was not there yet, is refused.
func TestRederiveOfAnotherState(t *testing.T) {
	a := newBed(t, lakeTables)
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	none := a.planElsewhere()
	a.run()
	other := a.planElsewhere()
	other.Lineage = strings.Repeat("0", 32)
	for name, from := range map[string]*plan.Plan{"no state": none, "another one": other} {
		err := a.underLock(from, func(*Engine, *state.Lock, *planner.Session, []plan.Difference) {
			t.Errorf("%s: it is derived again", name)
		})
		if !errors.Is(err, plan.ErrOtherState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
