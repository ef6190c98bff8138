package engine

import (
	"context"
	"strings"

	"reconcile/config"
	"reconcile/state"
)

// A sink is known by its root. Roots of folders are written without symbolic links
// (config.Resolve); an earlier version wrote them as the shell that started it saw them.

// loadLocked loads the state under its lock, with the roots that its sinks have now.
func (e *Engine) loadLocked(ctx context.Context, l *state.Lock) (*state.Snapshot, error) {
	snap, err := l.Load(ctx)
	if err != nil {
		return nil, err
	}
	e.resolveRoots(snap)
	return snap, nil
}

// resolveRoots gives the sinks of a view of the state the roots of the folders that
// they are.
func (e *Engine) resolveRoots(snap *state.Snapshot) {
	known := sinkTables(snap)
	for _, root := range sortedKeys(known) {
		if e.declared(root) || strings.HasPrefix(root, "s3://") {
			continue
		}
		if now := config.Resolve(root); now != root {
			renameSink(snap, root, now, known[root])
		}
	}
	for _, root := range sortedKeys(snap.Forgotten) {
		if !strings.HasPrefix(root, "s3://") {
			snap.Forgotten[config.Resolve(root)] = true
		}
	}
}

// renameSink gives a sink another root in all that a view of the state has of the
// tables there. A table that is in both keeps both.
func renameSink(snap *state.Snapshot, from, to string, tables []string) {
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
