package engine

import (
	"context"
	"errors"

	"reconcile/engine/plan"
	"reconcile/engine/steps"
	"reconcile/sinks"
	"reconcile/state"
)

// A commit is made visible by renames, which end at a mount. So it is found out before
// the commit whether they will do: after it there is no way back.

// holdUnpublishable gives up a step whose files cannot be moved to where they are to
// be. What was staged is removed, if not here then by the next apply.
func (e *Engine) holdUnpublishable(ctx context.Context, l *state.Lock, s *steps.Step, why error, res *Result) (waits bool, err error) {
	removed := e.removeStaged(ctx, l, s.Task)
	if !sinks.OfFolder(why) {
		return false, errors.Join(why, removed)
	}
	res.Holds = append(res.Holds, plan.Hold{Table: s.Definition.Name, Reason: why.Error()})
	return true, nil
}
