package engine

import (
	"context"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
)

// measure replaces a table's estimates by exact figures: it computes the new
// content as an apply would, into the scratch folder, and throws it away.
func (e *Engine) measure(ctx context.Context, p *planner.Session, t *planner.Table) (err error) {
	if t.Action == plan.Destroy || t.Action == plan.Forget || p.Publishing(t.Name) { // its files are on their way
		return nil
	}
	dir, remove, err := e.scratch().ForPlan()
	if err != nil {
		return err
	}
	defer remove()
	e.limits.Scratch = dir
	s, err := e.stepMaker().On(ctx, 0, p.Snap, steps.Order{Plan: p, Table: t, Step: planner.StepsOf(p, t)[0]})
	if err != nil {
		return err
	}
	if err := s.Divert(dir); err != nil {
		return err
	}
	r, err := s.Execute(ctx)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	switch r.Outcome {
	case exec.OutcomeNothing:
		return nil
	case exec.OutcomeHeld:
		h := holdOf(t.Name, r.Held)
		if !s.Takes() {
			h = t.WaitingRebuild(h)
			t.Keep()
		}
		p.Holds = append(p.Holds, h)
		return nil
	}
	counts := r.Done.Counts
	t.Exact, t.Counts = true, &counts
	t.Partitions, t.BytesToWrite = counts.Partitions, counts.Written
	return nil
}
