package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/state"
)

// detachSinks makes the state forget sinks, and know others at their new places, as the plan
// did, in one transaction, and finishes the commits that could not be finished because
// of them. It returns the tables that have to wait for the next plan.
func (run *applyRun) detachSinks(ctx context.Context) (waiting map[string]bool, err error) {
	if len(run.plan.Forgotten)+len(run.plan.Moved) == 0 {
		return nil, nil
	}
	err = run.lock.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, m := range run.plan.Moved {
			errs = append(errs, tx.SetForgotten(m.From))
			for _, name := range m.Tables {
				errs = append(errs, putTable(run.plan, tx, name))
			}
		}
		for _, f := range run.plan.Forgotten {
			errs = append(errs, tx.SetForgotten(f.Root))
			for _, name := range f.Tables {
				errs = append(errs, putTable(run.plan, tx, name))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	run.result.Forgotten, run.result.Moved = run.plan.Forgotten, run.plan.Moved
	if len(run.plan.Recover) == 0 {
		return nil, nil
	}
	if run.result.Recovered, err = run.e.Recover(ctx, run.lock); err != nil {
		return nil, err
	}
	return run.waitAfter(ctx)
}

// putTable stores all that the plan's view of the state has of a table.
func putTable(p *planner.Session, tx *state.Tx, name string) error {
	t, parts, lost := p.Records(name)
	var errs []error
	if t != nil {
		errs = append(errs, tx.PutTable(t))
	}
	for _, part := range parts {
		errs = append(errs, tx.PutPartition(name, part))
	}
	for _, pub := range p.Snap.Publishes {
		if pub.Table == name {
			errs = append(errs, tx.PutPublish(pub))
		}
	}
	if lost != nil {
		errs = append(errs, tx.SetLost(name, lost))
	}
	return errors.Join(errs...)
}

// waitAfter holds the tables that were planned before their last commit was
// finished, as far as there is more to do: the next apply plans that again.
func (run *applyRun) waitAfter(ctx context.Context) (waiting map[string]bool, err error) {
	snap, err := run.lock.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	waiting = map[string]bool{}
	for _, t := range run.plan.Drafts {
		if !slices.Contains(run.plan.Recover, t.Name) || slices.ContainsFunc(run.plan.Holds, func(h plan.Hold) bool { return h.Table == t.Name && h.Dump == 0 }) {
			continue
		}
		lost := snap.Lost[t.Name]
		hold := plan.Hold{Table: t.Name}
		switch {
		case run.e.unfinished.Why(t.Name) != nil:
			hold.Reason = run.e.unfinished.Why(t.Name).Error()
		case lost != nil:
			hold.Reason = lost.Why + "; the next apply writes the table anew"
		case snap.Tables[t.Name] == nil && (t.Action == plan.Destroy || t.Action == plan.Forget):
			waiting[t.Name] = true // that was the commit
			continue
		case t.Action == plan.None:
			continue
		default:
			hold.Reason = "its interrupted commit is finished now; what else is planned for it is for the next apply"
		}
		waiting[t.Name] = true
		run.result.Holds = append(run.result.Holds, hold)
	}
	return waiting, nil
}
