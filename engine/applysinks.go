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
func (e *Engine) detachSinks(ctx context.Context, l *state.Lock, p *planner.Session, res *Result) (waiting map[string]bool, err error) {
	if len(p.Forgotten)+len(p.Moved) == 0 {
		return nil, nil
	}
	err = l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, m := range p.Moved {
			errs = append(errs, tx.SetForgotten(m.From))
			for _, name := range m.Tables {
				errs = append(errs, putTable(p, tx, name))
			}
		}
		for _, f := range p.Forgotten {
			errs = append(errs, tx.SetForgotten(f.Root))
			for _, name := range f.Tables {
				errs = append(errs, putTable(p, tx, name))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	res.Forgotten, res.Moved = p.Forgotten, p.Moved
	if len(p.Recover) == 0 {
		return nil, nil
	}
	if res.Recovered, err = e.Recover(ctx, l); err != nil {
		return nil, err
	}
	return e.waitAfter(ctx, l, p, res)
}

// putTable stores all that the plan's view of the state has of a table.
func putTable(p *planner.Session, tx *state.Tx, name string) error {
	var errs []error
	if t := p.Snap.Tables[name]; t != nil {
		errs = append(errs, tx.PutTable(t))
	}
	for _, part := range p.Snap.Partitions[name] {
		errs = append(errs, tx.PutPartition(name, part))
	}
	for _, pub := range p.Snap.Publishes {
		if pub.Table == name {
			errs = append(errs, tx.PutPublish(pub))
		}
	}
	if lost := p.Snap.Lost[name]; lost != nil {
		errs = append(errs, tx.SetLost(name, lost))
	}
	return errors.Join(errs...)
}

// waitAfter holds the tables that were planned before their last commit was
// finished, as far as there is more to do: the next apply plans that anew.
func (e *Engine) waitAfter(ctx context.Context, l *state.Lock, p *planner.Session, res *Result) (waiting map[string]bool, err error) {
	snap, err := l.Load(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	waiting = map[string]bool{}
	for _, t := range p.Drafts {
		if !slices.Contains(p.Recover, t.Name) || slices.ContainsFunc(p.Holds, func(h plan.Hold) bool { return h.Table == t.Name && h.Dump == 0 }) {
			continue
		}
		lost := snap.Lost[t.Name]
		hold := plan.Hold{Table: t.Name}
		switch {
		case e.unfinished.Why(t.Name) != nil:
			hold.Reason = e.unfinished.Why(t.Name).Error()
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
		res.Holds = append(res.Holds, hold)
	}
	return waiting, nil
}
