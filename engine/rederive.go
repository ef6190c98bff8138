package engine

import (
	"context"
	"errors"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/state"
)

// Rederive makes a plan that was made elsewhere again, for the holder of the lock, who is
// going to apply it: of the dumps alone that it names, and without a look at the sinks
// where it was made so. What arrived since stays pending. It says of which tables
// something has changed since, and what: those are not to be applied. A plan of another
// state fails with plan.ErrOtherState.
//
// An apply that planned under its own lock has no use for it.
func (e *Engine) Rederive(ctx context.Context, l *state.Lock, from *plan.Plan) (*planner.Session, []plan.Difference, error) {
	r := e.planner()
	ask := *r.Ask
	ask.Inputs, ask.NoRefresh, ask.OnlyDumps = true, from.Unchecked, map[int64]bool{}
	for _, id := range from.Dumps {
		ask.OnlyDumps[id] = true
	}
	r.Ask = &ask
	p, err := e.planLocked(ctx, l, r)
	if err != nil {
		return nil, nil, err
	}
	stale, err := plan.Compare(from, &p.Plan)
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, stale, nil
}
