package engine

import (
	"slices"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// rebuild turns a step into one that takes all applied dumps anew. Of those that
// are lost the record stays: their rows do not come back unasked, and what they
// made void stays void.
func (s *tableStep) rebuild(t *planner.Table, withdrawn func(dump int64) bool) {
	s.fresh = true
	old := *s.old
	old.Applied, old.Quarantine, old.Users, old.UserRuns, old.Read = nil, nil, state.Ref{}, nil, nil
	lost := false
	for _, a := range s.old.Applied {
		i := t.DeliveryOf(a.Dump)
		switch {
		case withdrawn(a.Dump):
		case a.Lost || slices.Contains(t.Lost, a.Dump):
			a.Lost, lost = true, true
			old.Applied = append(old.Applied, a)
		case t.HeldFrom != nil && a.Dump >= *t.HeldFrom:
		case i >= 0:
			s.pending = append(s.pending, t.All[i])
		}
	}
	if !lost {
		old.Columns, old.ExactNames = nil, true
	}
	s.old = &old
}

// repairStep makes a step one that takes nothing from the table's old content, and goes
// straight to the mapping in force.
func repairStep(p *planner.Session, t *planner.Table, s *tableStep) {
	s.old, s.oldParts, s.left = t.Old, nil, slices.Clone(t.Left)
	backStep(p, t, s)
}

// backStep makes a step one that rebuilds the table at the mapping in force.
func backStep(p *planner.Session, t *planner.Table, s *tableStep) {
	if t.Kind != feed.KindMapping {
		s.rebuild(t, func(dump int64) bool { return p.Ask.Withdrawn(p.Listing, dump, t.Name) })
		return
	}
	record := *s.old
	record.Applied, record.Quarantine = nil, nil
	s.old, s.fresh = &record, true
	if p.Standing != nil {
		s.pending = []planner.Delivery{planner.MappingDelivery(p)}
	}
}

// rewriteStep makes a step one that writes the table anew from the rows that it has,
// without the objects that are damaged, and at the mapping in force.
func rewriteStep(p *planner.Session, t *planner.Table, s *tableStep) {
	s.readFrom = t.ReadFrom
	old := *s.old
	old.Index = nil
	old.Quarantine = slices.DeleteFunc(slices.Clone(old.Quarantine), func(q state.DumpRef) bool { return slices.Contains(t.Dropped, q.Ref.Digest) })
	s.old = &old
	if t.Change.Class == plan.ClassRebuild {
		s.rebuild(t, func(dump int64) bool { return p.Ask.Withdrawn(p.Listing, dump, t.Name) })
	}
}
