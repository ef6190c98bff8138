package engine

import (
	"context"
	"errors"

	"reconcile/engine/plan"
	"reconcile/sinks"
	"reconcile/state"
)

// A commit is made visible by renames, which end at a mount. So it is found out before
// the commit whether they will do: after it there is no way back.

// holdUnpublishable gives up a step whose files cannot be moved to where they are to
// be. What was staged is removed, if not here then by the next apply.
func (e *Engine) holdUnpublishable(ctx context.Context, l *state.Lock, s *tableStep, why error, res *Result) (waits bool, err error) {
	removed := e.removeStaged(ctx, l, s.task)
	if !sinks.OfFolder(why) {
		return false, errors.Join(why, removed)
	}
	res.Holds = append(res.Holds, plan.Hold{Table: s.cfg.Name, Reason: why.Error()})
	return true, nil
}
