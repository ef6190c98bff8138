package engine

import (
	"context"
	"errors"

	"reconcile/engine/planner"
	"reconcile/state"
)

// ConfigDiff says what the configuration of an engine changes about the tables of its
// state, of which it reads nothing but the records; source and sinks it does not ask. lock
// is that of an apply; a plan has none.
func ConfigDiff(ctx context.Context, e *Engine, lock *state.Lock) (_ *planner.ConfigPart, err error) {
	snap, err := configView(ctx, e, lock)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	return planner.ConfigDiff(ctx, e.planner(), snap)
}

// configView is a view of the state for ConfigDiff.
func configView(ctx context.Context, e *Engine, lock *state.Lock) (*state.Snapshot, error) {
	if lock != nil {
		return e.declared.Load(ctx, lock)
	}
	snap, err := e.store.Load(ctx)
	if err == nil {
		e.declared.ResolveRoots(snap)
	}
	return snap, err
}
