package engine

import (
	"reconcile/engine/planner"
	"reconcile/state"
)

// applyRun is one apply under way: the plan that is carried out, the lock it is
// carried out under, and what it did so far. One goroutine has it.
type applyRun struct {
	e      *Engine
	lock   *state.Lock
	plan   *planner.Session
	result *Result
}
