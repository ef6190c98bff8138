package lake

import (
	"context"
	"maps"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/state"
)

// A sink is known by its root. Roots of folders are written without symbolic links
// (config.Resolve); an earlier version wrote them as the shell that started it saw them.

// Load loads the state under its lock, with the roots that its sinks have now.
func (d *Declared) Load(ctx context.Context, l *state.Lock) (*state.Snapshot, error) {
	snap, err := l.Load(ctx)
	if err != nil {
		return nil, err
	}
	d.ResolveRoots(snap)
	return snap, nil
}

// LoadTables is Load of some tables alone, as Lock.LoadTables does it.
func (d *Declared) LoadTables(ctx context.Context, l *state.Lock, names ...string) (*state.Snapshot, error) {
	snap, err := l.LoadTables(ctx, names...)
	if err != nil {
		return nil, err
	}
	d.ResolveRoots(snap)
	return snap, nil
}

// ResolveRoots gives the sinks of a view of the state the roots of the folders that
// they are.
func (d *Declared) ResolveRoots(snap *state.Snapshot) {
	tables := Tables(snap)
	for _, root := range slices.Sorted(maps.Keys(tables)) {
		if d.Has(root) || strings.HasPrefix(root, "s3://") {
			continue
		}
		if now := config.Resolve(root); now != root {
			RenameSink(snap, root, now, tables[root])
		}
	}
	for _, root := range slices.Sorted(maps.Keys(snap.Forgotten)) {
		if !strings.HasPrefix(root, "s3://") {
			snap.Forgotten[config.Resolve(root)] = true
		}
	}
}

// Tables lists the tables that the state has in each sink, or still has to change there,
// by root.
func Tables(snap *state.Snapshot) map[string][]string {
	out := map[string][]string{}
	add := func(root, table string) {
		if at, found := slices.BinarySearch(out[root], table); !found {
			out[root] = slices.Insert(out[root], at, table)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Tables)) {
		for _, s := range snap.Tables[name].Sinks {
			add(s.Root, name)
		}
		if lost := snap.Lost[name]; lost != nil {
			for _, s := range lost.Left {
				add(s.Sink, name)
			}
		}
	}
	for _, p := range snap.Publishes {
		for _, s := range p.Steps {
			add(s.Sink, p.Table)
		}
	}
	return out
}

// RenameSink gives a sink another root in all that a view of the state has of the
// tables there. A table that is in both keeps both.
func RenameSink(snap *state.Snapshot, from, to string, tables []string) {
	for _, name := range tables {
		t := snap.Tables[name]
		if t != nil && t.SinkAt(to) >= 0 {
			continue
		}
		if t != nil && t.SinkAt(from) >= 0 {
			t.Sinks[t.SinkAt(from)].Root = to
		}
		if lost := snap.Lost[name]; lost != nil {
			renameSteps(lost.Left, from, to)
		}
		for _, p := range snap.Publishes {
			if p.Table == name {
				renameSteps(p.Steps, from, to)
			}
		}
	}
}

func renameSteps(steps []state.Step, from, to string) {
	for i := range steps {
		if steps[i].Sink == from {
			steps[i].Sink = to
		}
	}
}
