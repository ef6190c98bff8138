package steps

import (
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
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

// noteDumpRows brings what the record knows of the rows of dumps, and which checks judged it,
// over to the new one.
func (s *Step) noteDumpRows(t *state.Table, d *exec.Done) {
	var was, read []state.DumpRows
	if s.old != nil {
		was, t.Checks = s.old.DumpRows, s.old.Checks
	}
	for _, n := range d.DumpRows {
		read = append(read, state.DumpRows(n))
	}
	t.NoteDumpRows(was, read, s.floor.Live)
}

// DumpRows is how many rows the dumps that the table has delivered, as far as that is known.
func (s *Step) DumpRows() []exec.DumpRows {
	if s.old == nil {
		return nil
	}
	var out []exec.DumpRows
	for _, d := range s.old.DumpRows {
		out = append(out, exec.DumpRows(d))
	}
	return out
}

// dumps are those that the step takes.
func (s *Step) dumps() []int64 {
	out := make([]int64, len(s.Pending))
	for i, d := range s.Pending {
		out[i] = d.Dump
	}
	return out
}

// TakenResyncs are the full resyncs by which the step makes void what the table had: those
// that it takes of a table that was there, and that no later one makes void. Deliveries of
// the mapping are always whole.
func (s *Step) TakenResyncs() (out []int64) {
	if s.kindOf() != state.CommitTake || s.kind == feed.KindMapping {
		return nil
	}
	for _, d := range s.Pending {
		if !d.Entry.Incremental && !d.Again && s.floor.Live(d.Dump) {
			out = append(out, d.Dump)
		}
	}
	return out
}
