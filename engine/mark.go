package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/sinks"
	"reconcile/state"
)

// A plan lists the sinks, whose folders are as many as the partitions, and hardly
// any changed since the plan before. Sinks that can tell which did not need not
// look into those (see sinks.Marker). The mark by which they can is made when an
// apply that changed something ends, and is kept with the table.

// list lists one of the places where a table is or is to be. same says instead that
// the files of the table are all there is, and as the state knows them.
func (t *TablePlan) list(ctx context.Context, sk sinks.Sink, at place) (objs []sinks.Object, same bool, err error) {
	m, ok := sk.(sinks.Marker)
	if !ok || t.old == nil {
		objs, err = sk.List(ctx, at.path)
		return objs, false, err
	}
	i := slices.IndexFunc(t.old.Sinks, func(s state.SinkTable) bool { return s.Root == at.root && s.Folder == at.path })
	if i < 0 || t.old.Sinks[i].Mark == "" || t.lost != nil {
		t.marked = false
		objs, err = sk.List(ctx, at.path)
		return objs, false, err
	}
	objs, whole, err := m.ListMarked(ctx, at.path, t.old.Sinks[i].Mark, pinnedIn(i, t.parts))
	t.marked = t.marked && whole
	return objs, whole && objs == nil, err
}

// pinnedIn lists the files of a table in one of its sinks, with their pins.
func pinnedIn(sink int, parts []*state.Partition) []sinks.Pinned {
	out := make([]sinks.Pinned, 0, len(parts))
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				out = append(out, sinks.Pinned{Key: f.Path, Pin: f.Pin})
			}
		}
	}
	return out
}

// pathsIn lists the files of a table in one of its sinks.
func pathsIn(sink int, parts []*state.Partition) []string {
	out := make([]string, 0, len(parts))
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink == sink {
				out = append(out, f.Path)
			}
		}
	}
	return out
}

// markTables makes the marks of what this apply changed, and of what had none that
// were good. A sink that fails keeps nobody from having applied: it goes without.
func (e *Engine) markTables(ctx context.Context, l *state.Lock, p *Plan, snap *state.Snapshot) error {
	var changed []*state.Table
	for _, t := range p.tables {
		now := snap.Tables[t.Name]
		under := slices.ContainsFunc(snap.Publishes, func(x *state.Publish) bool { return x.Table == t.Name })
		if now == nil || under || t.marked && !t.committed {
			continue
		}
		if e.mark(ctx, now, snap.Partitions[t.Name]) {
			changed = append(changed, now)
		}
	}
	if len(changed) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, t := range changed {
			errs = append(errs, tx.PutTable(t))
		}
		return errors.Join(errs...)
	})
}

// mark gives a table new marks, and reports whether they are other ones.
func (e *Engine) mark(ctx context.Context, t *state.Table, parts []*state.Partition) bool {
	changed := false
	for i := range t.Sinks {
		s := &t.Sinks[i]
		m, ok := e.lake.Sink(s.Root).(sinks.Marker)
		if !ok || e.lake.Unusable(s.Root) != nil {
			continue
		}
		mark := ""
		if paths := pathsIn(i, parts); len(paths) >= e.markFrom {
			if got, err := m.Mark(ctx, s.Folder, paths); err == nil {
				mark = got
			}
		}
		changed = changed || mark != s.Mark
		s.Mark = mark
	}
	return changed
}
