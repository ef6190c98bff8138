package engine

import (
	"context"
	"slices"

	"reconcile/sinks"
	"reconcile/state"
)

// list lists one of the places where a table is or is to be. same says instead that
// the files of the table are all there is, and as the state knows them.
func (t *TablePlan) list(ctx context.Context, sk sinks.Sink, at sinks.Place) (objs []sinks.Object, same bool, err error) {
	m, ok := sk.(sinks.Marker)
	if !ok || t.old == nil {
		objs, err = sk.List(ctx, at.Path)
		return objs, false, err
	}
	i := slices.IndexFunc(t.old.Sinks, func(s state.SinkTable) bool { return s.Root == at.Root && s.Folder == at.Path })
	if i < 0 || t.old.Sinks[i].Mark == "" || t.lost != nil {
		t.marked = false
		objs, err = sk.List(ctx, at.Path)
		return objs, false, err
	}
	objs, whole, err := m.ListMarked(ctx, at.Path, t.old.Sinks[i].Mark, pinnedIn(i, t.parts))
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
