package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/state"
)

// digestOfState is the digest of all records of a view of the state.
func digestOfState(snap *state.Snapshot) (string, error) {
	return plan.DigestValue([]any{snap.Lineage, snap.Serial, snap.Tables, snap.Partitions, snap.Dumps, snap.Mapping, snap.Holds, snap.Publishes, snap.Settings, snap.Facts, snap.Manifests})
}

// digestOfSession is the digest of a plan, and of the records that it goes by.
func digestOfSession(p *planner.Session) (string, error) {
	view, err := digestOfState(p.Snap)
	if err != nil {
		return "", err
	}
	records := []any{view, p.Plan, p.Standing, p.SameMapping, p.AcceptedMappings}
	for _, t := range p.Drafts {
		records = append(records, t.Table, t.Old, t.Parts, t.Pending, t.All, t.Bad, t.Compared, t.Renewed, t.Left, t.LostCommit, t.HeldFrom)
	}
	return plan.DigestValue(records)
}

// watched is an engine that plans and applies once, and fails where that changes what was
// read, or what was planned.
type watched struct {
	*Engine
	snap *state.Snapshot
	read string // its digest before it was planned
}

// PlanLocked is that of the engine.
func (w *watched) PlanLocked(ctx context.Context, l *state.Lock) (_ *planner.Session, err error) {
	if w.loaded == nil {
		if w.loaded, err = w.declared.Load(ctx, l); err != nil {
			return nil, err
		}
	}
	w.snap = w.loaded
	if w.read, err = digestOfState(w.snap); err != nil {
		return nil, err
	}
	p, err := w.Engine.PlanLocked(ctx, l)
	return p, errors.Join(err, w.check())
}

// Apply is that of the engine.
func (w *watched) Apply(ctx context.Context, l *state.Lock, p *planner.Session) (*Result, error) {
	planned, err := digestOfSession(p)
	if err != nil {
		return nil, err
	}
	res, err := w.Engine.Apply(ctx, l, p)
	if now, derr := digestOfSession(p); derr != nil || now != planned {
		err = errors.Join(err, derr, errors.New("the apply changed what was planned"))
	}
	if werr := w.check(); werr != nil {
		err = errors.Join(err, werr)
	}
	return res, err
}

func (w *watched) check() error {
	now, err := digestOfState(w.snap)
	if err == nil && now != w.read {
		err = errors.New("the view of the state that was read has changed")
	}
	return err
}

// leavesState plans, and fails where that changes the view of the state that it is made
// of. What exact figures take to compute counts as planning.
func (h *harness) leavesState() *planner.Session {
	h.t.Helper()
	opts := h.opts
	defer func() { h.opts = opts }()
	var p *planner.Session
	for _, h.opts.Exact = range []bool{true, false} {
		e := h.engine()
		snap, err := e.store.Load(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		e.declared.ResolveRoots(snap)
		before, err := digestOfState(snap)
		if err != nil {
			h.t.Fatal(err)
		}
		if p, err = planner.MakePlan(h.t.Context(), &planner.Session{Planner: e.planner(), Snap: snap}); err != nil {
			h.t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			h.t.Fatal(err)
		}
		if after, err := digestOfState(snap); err != nil || after != before {
			h.t.Errorf("the plan changed the view of the state that it was made of: %v", err)
		}
	}
	return p
}

// eachDataFile calls f with the path of each data file of a sink.
func (h *harness) eachDataFile(root string, f func(path string) error) {
	h.t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".parquet") {
			return err
		}
		return f(p)
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// writeAgain makes a file another one with the same content.
func writeAgain(p string) error {
	data, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(p+".new", p)
}

// Planning changes nothing of what it read, whatever it finds.
func TestPlanningLeavesWhatItRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *bed)
		found  func(p *planner.Session) bool
	}{
		"nothing": {func(*bed) {}, func(p *planner.Session) bool { return !p.Changes() }},
		"files that were written again": {
			func(a *bed) { a.eachDataFile(a.lake(), writeAgain) },
			func(p *planner.Session) bool { return !p.Changes() }},
		"files that were changed": {
			func(a *bed) { a.lose("lake", "e", true) },
			func(p *planner.Session) bool { return len(p.Tables[0].Drift) > 0 }},
		"a sink that moved": {
			func(a *bed) {
				old := a.lake()
				if err := os.Rename(old, old+"2"); err != nil {
					a.t.Fatal(err)
				}
				a.prelude = strings.Replace(prelude, `"../lake"`, `"../lake2"`, 1)
				a.opts.MovedSinks = []string{old + "=" + old + "2"}
			},
			func(p *planner.Session) bool { return len(p.Moved) == 1 }},
		"a sink to forget": {
			func(a *bed) {
				a.opts.ForgetSinks = []string{a.lake()}
				a.prelude = strings.Replace(prelude, `"lake" { path = "../lake" }`, `"pond" { path = "../pond" }`, 1)
				a.hcl = strings.ReplaceAll(a.hcl, "parquet.lake", "parquet.pond")
			},
			func(p *planner.Session) bool { return len(p.Forgotten) == 1 && p.Forgotten[0].Files > 0 }},
		"a commit that was lost": {
			func(a *bed) { a.loseCommit("e") },
			func(p *planner.Session) bool { return p.Tables[0].Action == plan.Rebuild }},
		"a commit that was lost, and a repair": {
			func(a *bed) {
				a.loseCommit("e")
				if err := os.Remove(a.currentFile()); err != nil {
					a.t.Fatal(err)
				}
				a.lose("lake", "e", true)
				a.opts.Repair = true
			},
			func(p *planner.Session) bool { return p.Tables[0].Action == plan.Rebuild }},
		"a mapping and dumps": {
			func(a *bed) {
				a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 12))), full("user_migrations", avroPart("from_user_id to_user_id", row(12, 10)))))
			},
			func(p *planner.Session) bool { return p.Mapping.Taken && p.Tables[0].Action == plan.Update }},
	} {
		t.Run(name, func(t *testing.T) {
			a := twoTables(t)
			c.change(a)
			if p := a.leavesState(); !c.found(p) {
				t.Errorf("the plan is not of what was to be found: %+v", p.Plan)
			}
		})
	}
}

// loseCommit has the state know of a commit of a table that cannot be made visible, and
// that leaves a file, which was written again since.
func (a *bed) loseCommit(table string) {
	a.t.Helper()
	root := a.lake()
	left := filepath.Join(root, table, "part-99.parquet")
	a.eachDataFile(filepath.Join(root, table), func(p string) error {
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(left, data, 0o644)
	})
	l, err := a.engine().Lock(a.t.Context(), "test")
	if err != nil {
		a.t.Fatal(err)
	}
	defer l.Unlock()
	err = l.Update(a.t.Context(), func(tx *state.Tx) error {
		return tx.SetLost(table, &state.LostCommit{Why: "it was lost", Left: []state.Step{{Sink: root, Path: table + "/part-99.parquet", Before: "of old", BeforePin: "of old"}}})
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

// The same in random worlds, with files of the sink that were written again, changed or
// removed.
func TestPlanningLeavesWhatItReadInWorlds(t *testing.T) {
	changes := 0
	for seed := range int64(12) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			w := model.Random(r, model.GenOptions{Tame: seed%3 == 0})
			h := newHarness(t, model.RandomConfig(r))
			h.unit, h.tuning = model.RandomUnit(r), tiny(r)
			half := len(w.Dumps) / 2
			h.arrive(w.Dumps[:half]...)
			if _, err := h.apply(); err != nil {
				t.Fatal(err)
			}
			h.eachDataFile(h.lake(), func(p string) error {
				switch r.Intn(6) {
				case 0:
					return os.Remove(p)
				case 1:
					return os.WriteFile(p, []byte("PAR1 what somebody else wrote"), 0o644)
				case 2, 3:
					return writeAgain(p)
				}
				return nil
			})
			h.arrive(w.Dumps[half:]...)
			if r.Intn(2) == 0 {
				h.hcl = model.RandomConfig(r)
			}
			if h.leavesState().Changes() {
				changes++
			}
		})
	}
	if changes == 0 {
		t.Error("no plan had anything to do")
	}
}
