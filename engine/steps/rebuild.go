package steps

import (
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// rebuild turns a step into one that takes all applied dumps again. Of those that
// are lost the record stays: their rows do not come back unasked, and what they
// voided stays void.
func (s *Step) rebuild(p *planner.Session, t *planner.Table) {
	s.fresh = true
	old := *s.old
	old.Applied, old.Quarantine, old.Users, old.UserRuns, old.Read = nil, nil, state.Ref{}, nil, nil
	lost := false
	for _, a := range s.old.Applied {
		i := t.DeliveryOf(a.Dump)
		switch {
		case p.Ask.Withdrawn(p.Listing, a.Dump, t.Name):
		case a.Lost || slices.Contains(t.Lost, a.Dump):
			a.Lost, lost = true, true
			old.Applied = append(old.Applied, a)
		case s.planned.Before != nil && a.Dump >= *s.planned.Before:
		case i >= 0:
			s.Pending = append(s.Pending, t.All[i])
		}
	}
	if !lost {
		old.Columns, old.ExactNames = nil, true
	}
	s.old = &old
}

// repairStep makes a step one that takes nothing from the table's old content, and goes
// straight to the mapping in force.
func repairStep(p *planner.Session, t *planner.Table, s *Step) {
	s.old, s.oldParts, s.left = t.Old, nil, slices.Clone(t.Left)
	backStep(p, t, s)
}

// backStep makes a step one that rebuilds the table at the mapping in force.
func backStep(p *planner.Session, t *planner.Table, s *Step) {
	if t.Kind != feed.KindMapping {
		s.rebuild(p, t)
		return
	}
	record := *s.old
	record.Applied, record.Quarantine = nil, nil
	s.old, s.fresh = &record, true
	if p.Standing != nil {
		s.Pending = []planner.Delivery{planner.MappingDelivery(p)}
	}
}

// rewriteStep makes a step one that writes the table again from the rows that it has,
// without the objects that are damaged, and at the mapping in force.
func rewriteStep(p *planner.Session, t *planner.Table, s *Step) {
	s.findReadFrom()
	old := *s.old
	old.Index = nil
	old.Quarantine = slices.DeleteFunc(slices.Clone(old.Quarantine), func(q state.DumpRef) bool { return slices.Contains(s.planned.Without, q.Ref.Digest) })
	s.old = &old
	if s.planned.Class == plan.ClassRebuild {
		s.rebuild(p, t)
	}
}

// findReadFrom finds the sink whose rows a rewrite reads; the first if any will do.
func (s *Step) findReadFrom() { s.readFrom = max(s.old.SinkAt(s.planned.ReadFrom), 0) }

// restoreStep makes a step one that takes nothing but the dumps that the lake has, and
// what stands in for those that are lost.
func restoreStep(p *planner.Session, t *planner.Table, s *Step) {
	s.old, s.oldParts, s.left = t.Old, nil, slices.Clone(t.Left)
	if at := t.Stand; at != nil {
		s.newMapping, s.mapping, s.full = at.Closure, at.Standing, at.Mapping
	}
	if s.kind != feed.KindMapping {
		s.rebuild(p, t)
		s.old.Columns = t.Old.Columns
		for i := range s.old.Applied {
			if a := &s.old.Applied[i]; slices.Contains(t.Lost, a.Dump) {
				a.Lost, a.StoodIn = false, true
			}
		}
		return
	}
	s.fresh = true
	if s.mapping != nil {
		s.Pending = []planner.Delivery{{Dump: s.mapping.Dump, Entry: &dump.Entry{Name: feed.TableMapping, Digest: s.mapping.Digest}}}
	}
}
