package engine

import (
	"context"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/state"
)

// applyRun is one apply under way: the plan that is carried out, the lock it is
// carried out under, and what it did so far. One goroutine has it.
type applyRun struct {
	e      *Engine
	lock   *state.Lock
	plan   *planner.Session // that is left: the run's own
	result *Result
	// committed are the tables that the run has committed.
	committed map[string]bool
	manifests manifestKeeper
}

// stepOf prepares a step of a table from the state as it is now: until the table's own
// first commit that is what the plan saw of it.
func (run *applyRun) stepOf(ctx context.Context, t *planner.Table, step plan.Step) (*steps.Step, error) {
	maker, order := run.e.stepMaker(), steps.Order{Plan: run.plan, Table: t, Step: step}
	if !run.committed[t.Name] {
		return maker.On(ctx, run.lock.Generation(), run.plan.Snap, order)
	}
	snap, err := run.e.declared.Load(ctx, run.lock)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	return maker.On(ctx, run.lock.Generation(), snap, order)
}
