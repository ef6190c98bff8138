package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/failpoint"
	"reconcile/internal/feed"
	"reconcile/state"
)

// replacing applies with -replace of tables.
func (h *harness) replacing(tables ...string) (*Result, error) {
	h.opts.Replace = tables
	defer func() { h.opts.Replace = nil }()
	return h.apply()
}

// In random worlds a table that is replaced says the same afterwards as before, by the
// model; an apply that is stopped while it replaces is finished by the next.
func TestReplacedTables(t *testing.T) {
	var replaced atomic.Int64
	t.Cleanup(func() {
		if n := replaced.Load(); n < 5 {
			t.Errorf("only %d tables were replaced", n)
		}
	})
	for seed := range int64(7) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, 305+seed, inFolders, func(h *harness, r *rand.Rand) {
				after := h.after
				h.after = nil // not of applies in here
				defer func() { h.after = after }()
				names := slices.Sorted(maps.Keys(h.snapshot().Tables))
				if h.unchecked || len(names) == 0 || r.Intn(2) == 0 {
					return
				}
				name := names[r.Intn(len(names))]
				if r.Intn(3) == 0 {
					points := []failpoint.Name{failpoint.StageClose, failpoint.StateCommitBefore, failpoint.StateCommitAfter, failpoint.PublishMoveAfter, failpoint.PublishClearAfter}
					h.opts.Replace = []string{"table." + name}
					if _, _, err := h.applyFailing(fmt.Sprintf("%s=error", points[r.Intn(len(points))])); err != nil && !errors.Is(err, failpoint.ErrInjected) {
						t.Fatal(err)
					}
					h.opts.Replace = nil
				}
				res, err := h.replacing("table." + name)
				if err != nil {
					t.Fatal(err)
				}
				held := slices.ContainsFunc(res.Holds, func(x plan.Hold) bool { return x.Table == name })
				if !held && (len(res.Tables) != 1 || res.Tables[0].Name != name || res.Tables[0].Action != plan.Rebuild || res.Tables[0].Err != nil) {
					t.Fatalf("table %s was not replaced: %+v", name, res.Tables)
				}
				if !held {
					replaced.Add(1)
				}
				h.check()
				h.checkIdle()
			})
		})
	}
}

func TestReplace(t *testing.T) {
	a := twoTables(t)
	a.run(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 12)))), dumpOf(4, full(feed.TableMapping, avroPart("from_user_id to_user_id", row(12, 10)))))
	before, rows := a.commits(), a.got("e", "event_id user_id")
	a.arrive(dumpOf(5, more("e", avroPart("event_id user_id", row(4, 12)))))
	res, err := a.replacing("table.e")
	if err != nil || len(res.Tables) != 1 || res.Tables[0].Action != plan.Rebuild || len(res.Holds) > 0 {
		t.Fatalf("%+v %v", res, err)
	}
	now := a.commits()
	if now["e"] <= before["e"]+1 || now["f"] != before["f"] {
		t.Errorf("commits %v, before %v", now, before)
	}
	a.want("e", "event_id user_id", append(rows, "4 10")...)
	a.check()
	a.checkIdle()

	for address, want := range map[string]string{"table.none": "no such table", "e": "no such table", "table.": "no such table"} {
		if _, err := a.replacing(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	a.opts.Targets = []string{"table.f"}
	if _, err := a.replacing("table.e"); err == nil || !strings.Contains(err.Error(), "-target leaves this table out") {
		t.Errorf("%v", err)
	}
	a.opts.Targets = nil
	a.checkIdle()

	// A new table is made, and that is all.
	a.arrive(dumpOf(6, full("new", avroPart("event_id user_id", row(1, 10)))))
	if res, err := a.replacing("table.new"); err != nil || len(res.Tables) != 1 || res.Tables[0].Action != plan.Create {
		t.Errorf("%+v %v", res, err)
	}
	a.checkIdle()
}

// What the source no longer has would be lost: the table is held as it is, with what to do,
// and the rest goes on.
func TestReplaceWithoutTheSource(t *testing.T) {
	a := twoTables(t)
	a.run(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 12)))))
	rows := a.got("e", "event_id user_id")
	if err := errors.Join(os.RemoveAll(filepath.Join(a.dir, "dumps/sync_3")), os.Remove(filepath.Join(a.dir, "dumps/manifests/sync_3.json"))); err != nil {
		t.Fatal(err)
	}
	a.arrive(dumpOf(4, more("f", avroPart("event_id user_id", row(9, 12)))))
	res, err := a.replacing("table.e")
	if err != nil || len(res.Tables) != 1 || res.Tables[0].Name != "f" {
		t.Fatalf("%+v %v", res, err)
	}
	a.held(res, "e -replace asks for it: dump 3; -replace=table.e -accept-loss=e rebuilds it without that")
	a.want("e", "event_id user_id", rows...)
	a.held(a.run()) // it is held no more, which is written
	a.checkIdle()

	a.opts.AcceptLoss = []string{"e"}
	res, err = a.replacing("table.e")
	if err != nil || len(res.Holds) > 0 || len(res.Tables) != 1 {
		t.Fatalf("%+v %v", res, err)
	}
	a.opts.AcceptLoss = nil
	a.want("e", "event_id user_id", slices.DeleteFunc(rows, func(row string) bool { return strings.HasPrefix(row, "3 ") })...)
	a.checkIdle()
}

// applySaved applies a plan that was made elsewhere, and says what is done by it.
func (a *bed) applySaved(from *plan.Plan, points string) (done []string, err error) {
	a.t.Helper()
	set, perr := failpoint.Parse(points)
	if perr != nil {
		a.t.Fatal(perr)
	}
	uerr := a.underLock(from, func(e *Engine, l *state.Lock, p *planner.Session, stale []plan.Difference) {
		if len(stale) > 0 {
			a.t.Fatalf("something has changed: %v", stale)
		}
		var res *Result
		if res, err = e.Apply(failpoint.With(a.t.Context(), set), l, p); res != nil {
			for _, t := range res.Tables {
				done = append(done, t.Name+" "+string(t.Action))
			}
		}
	})
	if uerr != nil {
		a.t.Fatal(uerr)
	}
	return done, err
}

// rebuilds is how often a table was rebuilt.
func (a *bed) rebuilds(table string) (n int) {
	a.t.Helper()
	commits, err := a.snapshot().Tables[table].Commits()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, c := range commits {
		if c.Kind == state.CommitRebuild {
			n++
		}
	}
	return n
}

// A saved plan replaces each table once, whenever its apply is stopped, and another plan
// replaces it again.
func TestReplaceBySavedPlan(t *testing.T) {
	for name, dumps := range map[string][]*model.Dump{
		"alone":            nil,
		"with other dumps": {dumpOf(3, more("e", avroPart("event_id user_id", row(3, 12))), more("f", avroPart("event_id user_id", row(9, 12))))},
	} {
		for _, point := range []string{"stage.close=error@1", "stage.close=error@2", "state.commit.before=error@1", "state.commit.before=error@2", "state.commit.before=error@3", "state.commit.after=error@1", "state.commit.after=error@2", "publish.move.before=error@1", "publish.move.before=error@2", "publish.clear.after=error@1"} {
			t.Run(name+" "+point, func(t *testing.T) {
				a := twoTables(t)
				a.run()
				a.arrive(dumps...)
				a.opts.Replace = []string{"table.e", "table.f"}
				from := a.planElsewhere()
				stopped, err := a.applySaved(from, point)
				if err != nil && !errors.Is(err, failpoint.ErrInjected) {
					t.Fatal(err)
				}
				commits := a.commits()
				if _, err := a.applySaved(from, ""); err != nil {
					t.Fatal(err)
				}
				now := a.commits()
				for _, table := range []string{"e", "f"} {
					if n := a.rebuilds(table); n != 1 {
						t.Errorf("table %s was rebuilt %d times; the stopped apply did %v: %v", table, n, stopped, err)
					}
				}
				if again, err := a.applySaved(from, ""); err != nil || len(again) > 0 || !maps.Equal(now, a.commits()) {
					t.Errorf("replaced again: %v %v (%v, %v)", again, err, commits, now)
				}
				a.check()
				a.opts.Replace = nil
				a.checkIdle()
				a.opts.Replace = []string{"table.e"}
				if done, err := a.applySaved(a.planElsewhere(), ""); err != nil || !slices.Equal(done, []string{"e -/+"}) {
					t.Errorf("another plan does %v, %v", done, err)
				}
			})
		}
	}
}
