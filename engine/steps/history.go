package steps

import (
	"reconcile/engine/plan"
	"reconcile/state"
)

// kindOf is what the history of the table calls the step.
func (s *Step) kindOf() state.CommitKind {
	switch p := s.planned; {
	case p.Kind == plan.StepRestore:
		return state.CommitAnew
	case p.Kind == plan.StepChange && p.Repair:
		return state.CommitRepair
	case p.Kind == plan.StepChange && p.Class == plan.ClassMetadata:
		return state.CommitMetadata
	case p.Kind == plan.StepChange && p.Class == plan.ClassRewrite:
		return state.CommitRewrite
	case p.Kind == plan.StepChange:
		return state.CommitRebuild
	case s.old == nil:
		return state.CommitCreate
	case len(s.Pending) == 0:
		return state.CommitMapping
	}
	return state.CommitTake
}

// dumps are those that the step takes.
func (s *Step) dumps() []int64 {
	out := make([]int64, len(s.Pending))
	for i, d := range s.Pending {
		out[i] = d.Dump
	}
	return out
}
