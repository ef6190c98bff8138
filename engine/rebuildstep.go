package engine

import (
	"context"
	"errors"
	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
	"reconcile/engine/published"
	"reconcile/engine/rebuild"
	"reconcile/internal/feed"
	"reconcile/state"
	"slices"
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
	s, err := b.e.stepOn(ctx, l.Generation(), p.Snap, p, t, true)
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
	step  *tableStep
	store *state.Store
}

// Task implements rebuild.Step.
func (s rebuildStep) Task() *exec.Task { return s.step.task }

// Env implements rebuild.Step.
func (s rebuildStep) Env() *exec.Env { return s.step.env }

// Execute implements rebuild.Step.
func (s rebuildStep) Execute(ctx context.Context) (*exec.Result, error) { return s.step.execute(ctx) }

// Change implements rebuild.Step.
func (s rebuildStep) Change(ctx context.Context, d *exec.Done) (*commit.Change, error) {
	return s.step.changeOf(ctx, s.store, d)
}

// TakeOver implements rebuild.Step.
func (s rebuildStep) TakeOver(ctx context.Context, c *commit.Change, files []published.File) error {
	return s.step.takeOver(ctx, c, files)
}

// anewStep makes a step one that takes nothing but the dumps that the lake has, and what
// stands in for those that are lost.
func (e *Engine) anewStep(p *planner.Session, t *planner.Table, s *tableStep) {
	s.old, s.oldParts, s.left = t.Old, nil, slices.Clone(t.Left)
	if at := t.Stand; at != nil {
		s.newMapping, s.mapping, s.full = at.Closure, at.Standing, at.Mapping
	}
	if s.kind != feed.KindMapping {
		s.rebuild(t, func(dump int64) bool { return e.ask.Withdrawn(p.Listing, dump, t.Name) })
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
		s.pending = []planner.Delivery{{Dump: s.mapping.Dump, Entry: &dump.Entry{Name: feed.TableMapping, Digest: s.mapping.Digest}}}
	}
}
