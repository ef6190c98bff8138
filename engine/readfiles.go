package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/planner"
	"reconcile/state"
)

// The state knows of the part files of a table's last applied dumps, and of those
// of the mapping in force, how they were read. So a plan sees when another file
// stands there now, as where a mirror was still writing it.

// tagged reports whether the pins of the source are ETags.
func (e *Engine) tagged() bool { return e.cfg.Source.S3 != nil }

// renewRead records the ETags of files that were written again unchanged. now is the
// state as it is, which is not what the plan was made of where a sink was forgotten.
func (run *applyRun) renewRead(ctx context.Context, now *state.Snapshot) error {
	var tables []*state.Table
	for _, t := range run.plan.Drafts {
		if rec := now.Tables[t.Name]; rec != nil && len(t.Renewed) > 0 {
			tables = append(tables, noteRead(run.plan, t, rec))
		}
	}
	if len(tables) == 0 && run.plan.SameMapping == nil {
		return nil
	}
	return run.lock.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, rec := range tables {
			errs = append(errs, tx.PutTable(rec))
		}
		if run.plan.SameMapping != nil {
			errs = append(errs, tx.SetMapping(run.plan.SameMapping))
		}
		return errors.Join(errs...)
	})
}

// renewReadOf does the same for one table, in the middle of an apply.
func (run *applyRun) renewReadOf(ctx context.Context, t *planner.Table) error {
	if len(t.Renewed) == 0 {
		return nil
	}
	snap, err := run.e.declared.Load(ctx, run.lock)
	if err != nil {
		return err
	}
	rec := noteRead(run.plan, t, snap.Tables[t.Name])
	return errors.Join(run.lock.Update(ctx, func(tx *state.Tx) error { return tx.PutTable(rec) }), snap.Close())
}

// noteRead has an apply go by what is renewed of how a table's files were read, and returns
// the record to store in place of the one that the state has.
func noteRead(p *planner.Session, t *planner.Table, has *state.Table) *state.Table {
	rec := *has
	rec.Read = renewed(has.Read, t.Renewed)
	if seen := p.Snap.Tables[t.Name]; seen != nil {
		own := *seen
		own.Read = rec.Read
		p.Snap.Tables[t.Name] = &own
	}
	old := *t.Old
	old.Read = rec.Read
	t.Old = &old
	return &rec
}

// renewed returns records with some of them replaced.
func renewed(list, by []state.ReadDump) []state.ReadDump {
	out := slices.Clone(list)
	for i := range out {
		for _, b := range by {
			if b.Dump == out[i].Dump {
				out[i] = b
			}
		}
	}
	return out
}
