package engine

import (
	"context"
	"errors"

	"reconcile/engine/rebuild"
	"reconcile/engine/steps"
	"reconcile/state"
)

// Rebuilder rebuilds the state.
func (e *Engine) Rebuilder() *rebuild.Rebuilder {
	return &rebuild.Rebuilder{Store: e.store, Planner: e.planner(), Commits: e.commits(), Apply: rebuilding{e}, Now: e.now, Meter: e.meter.Meter}
}

// rebuilding is what a rebuild has in common with an apply.
type rebuilding struct{ e *Engine }

// Begin implements rebuild.Apply.
func (b rebuilding) Begin() (*steps.Maker, func(), error) {
	remove, err := b.e.applyScratch()
	if err != nil {
		return nil, nil, err
	}
	return b.e.stepMaker(), remove, nil
}

// Finish implements rebuild.Apply.
func (b rebuilding) Finish(ctx context.Context, l *state.Lock, tables []string, snap *state.Snapshot) error {
	return errors.Join(b.e.removeLeftovers(ctx, l, snap), b.e.renewFingerprints(ctx, l, tables, snap))
}
