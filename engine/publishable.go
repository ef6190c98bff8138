package engine

import (
	"context"
	"errors"

	"reconcile/engine/plan"
	"reconcile/engine/steps"
	"reconcile/internal/errclass"
)

// A commit is made visible by renames, which end at a mount. So it is found out before
// the commit whether they will do: after it there is no way back.

// holdUnpublishable gives up a step whose files cannot be moved to where they are to
// be. What was staged is removed, if not here then by the next apply.
func (run *applyRun) holdUnpublishable(ctx context.Context, s *steps.Step, why error) (waits bool, err error) {
	removed := run.e.removeStaged(ctx, run.lock, s.Task)
	if errclass.Of(why) != errclass.FolderUnusable {
		return false, errors.Join(why, removed)
	}
	run.result.Holds = append(run.result.Holds, plan.Hold{Table: s.Definition.Name, Reason: why.Error()})
	return true, nil
}
