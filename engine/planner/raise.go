package planner

import (
	"reconcile/engine/plan"
	"reconcile/state"
)

// raiseOf is what the first commit does to the format of a state.
func raiseOf(snap *state.Snapshot) *plan.Raise {
	r := snap.Raise
	if r == nil {
		return nil
	}
	return &plan.Raise{From: r.From, To: r.To.Number, Program: r.To.Program}
}
