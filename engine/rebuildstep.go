package engine

import (
	"context"
	"errors"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
	"reconcile/engine/published"
	"reconcile/engine/rebuild"
	"reconcile/engine/steps"
	"reconcile/state"
)

// Rebuilder makes the state anew.
func (e *Engine) Rebuilder() *rebuild.Rebuilder {
	return &rebuild.Rebuilder{Store: e.store, Planner: e.planner(), Commits: e.commits(), Apply: rebuilding{e}}
}

// rebuilding is what a rebuild has in common with an apply.
type rebuilding struct{ e *Engine }

// Scratch implements rebuild.Apply.
func (b rebuilding) Scratch() (func(), error) { return b.e.scratch(b.e.scratchPrefix()) }

// Step implements rebuild.Apply.
func (b rebuilding) Step(ctx context.Context, l *state.Lock, p *planner.Session, t *planner.Table) (rebuild.Step, error) {
	s, err := b.e.stepMaker().On(ctx, l.Generation(), p.Snap, p, t, true)
	if err != nil {
		return nil, err
	}
	return rebuildStep{s, b.e.store}, nil
}

// StoreMapping implements rebuild.Apply.
func (b rebuilding) StoreMapping(ctx context.Context, m *planner.MappingRead, record *state.Mapping) ([]*state.Sealed, error) {
	read, ok := m.Kept.(*deliveredMapping)
	if !ok { // no file delivered it
		read = &deliveredMapping{MappingRead: *m}
	}
	return read.store(ctx, b.e.store, record)
}

// Finish implements rebuild.Apply.
func (b rebuilding) Finish(ctx context.Context, l *state.Lock, p *planner.Session, snap *state.Snapshot) error {
	return errors.Join(b.e.removeLeftovers(ctx, l, snap), b.e.renewFingerprints(ctx, l, p, snap))
}

// rebuildStep is the step of a table whose state is made anew.
type rebuildStep struct {
	step  *steps.Step
	store *state.Store
}

// Task implements rebuild.Step.
func (s rebuildStep) Task() *exec.Task { return s.step.Task }

// Env implements rebuild.Step.
func (s rebuildStep) Env() *exec.Env { return s.step.Env }

// Execute implements rebuild.Step.
func (s rebuildStep) Execute(ctx context.Context) (*exec.Result, error) { return s.step.Execute(ctx) }

// Change implements rebuild.Step.
func (s rebuildStep) Change(ctx context.Context, d *exec.Done) (*commit.Change, error) {
	return s.step.ChangeOf(ctx, s.store, d)
}

// TakeOver implements rebuild.Step.
func (s rebuildStep) TakeOver(ctx context.Context, c *commit.Change, files []published.File) error {
	return s.step.TakeOver(ctx, c, files)
}
