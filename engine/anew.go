package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
	"reconcile/state/backup"
)

// StateRebuilt says what a rebuild of a state did.
type StateRebuilt struct {
	// Before is the copy of the damaged state; nil if there is none.
	Before *backup.Result
	Commit uint64
	Tables []TableAnew
}

// TableAnew says what became of one table.
type TableAnew struct {
	Name    string
	Counts  plan.Counts
	Kept    int // their rows were right
	Written int
	Removed int
}

// tableAnew is a table of which all is staged and durable.
type tableAnew struct {
	run    *tableRun
	change *change
	pub    *state.Publish
}

// RebuildState makes the state anew, by a plan that was made under the same lock.
func (e *Engine) RebuildState(ctx context.Context, l *state.Lock, sr *StateRebuild) (_ *StateRebuilt, err error) {
	if err := e.RebuildRefusal(sr); err != nil {
		return nil, err
	}
	cleanup, err := e.scratch(e.scratchPrefix())
	if err != nil {
		return nil, err
	}
	defer cleanup()
	out := &StateRebuilt{}
	if _, err := l.Over(ctx, sr.Lineage); err != nil {
		return out, err
	}
	if out.Before, err = backup.BeforeChange(ctx, e.store); err != nil {
		return out, fmt.Errorf("%w; nothing was changed", err)
	}
	defer func() { e.spared = nil }()
	tables, err := e.computeAnew(ctx, l, sr)
	if err != nil {
		return out, errors.Join(fmt.Errorf("rebuilding the state (nothing of the lake was changed; `reconcile state rebuild` begins anew): %w", err), e.dropAnew(ctx, l, sr))
	}
	if out.Commit, err = e.commitAnew(ctx, l, sr, tables); err != nil {
		return out, fmt.Errorf("rebuilding the state (run `reconcile state rebuild` again, which goes on from what was committed): %w", err)
	}
	for _, t := range tables {
		out.Tables = append(out.Tables, t.describe())
	}
	return out, e.publishAnew(ctx, l, sr, tables)
}

// computeAnew stages the content of all tables.
func (e *Engine) computeAnew(ctx context.Context, l *state.Lock, sr *StateRebuild) ([]*tableAnew, error) {
	if err := errors.Join(e.sweepAnew(ctx, l, sr), e.standsFromLake(ctx, sr)); err != nil {
		return nil, err
	}
	for _, id := range sortedKeys(sr.stands) {
		if err := e.storeStand(ctx, sr.stands[id]); err != nil {
			return nil, err
		}
	}
	var out []*tableAnew
	for _, rt := range sr.Tables {
		t, err := e.tableAnew(ctx, l, sr, rt)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", rt.Name, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// sweepAnew removes what dead attempts staged in the sinks of the tables: nothing names
// it any more.
func (e *Engine) sweepAnew(ctx context.Context, l *state.Lock, sr *StateRebuild) error {
	folders := map[string][]string{}
	for _, rt := range sr.Tables {
		for _, at := range foldersOf(rt.plan) {
			folders[at.root] = append(folders[at.root], at.path)
		}
	}
	for _, root := range sortedKeys(folders) {
		if err := e.sweepSink(ctx, l, root, e.spared, folders[root]); err != nil {
			return err
		}
	}
	return nil
}

// storeStand writes the objects of a mapping.
func (e *Engine) storeStand(ctx context.Context, s *mappingStand) error {
	if s == nil {
		return nil
	}
	obj, err := s.read.store(ctx, e.store)
	if err != nil {
		return err
	}
	s.standing.Ref = obj.Ref
	s.objects = []*state.Sealed{obj}
	if len(s.read.bad) == 0 {
		return nil
	}
	q, err := writeQuarantine(ctx, e.store, s.read.bad)
	if err != nil {
		return err
	}
	s.standing.Quarantine = q.Ref
	s.objects = append(s.objects, q)
	return nil
}

// tableAnew computes one table at the mapping where the lake has it, and takes over the
// files that hold the right rows.
func (e *Engine) tableAnew(ctx context.Context, l *state.Lock, sr *StateRebuild, rt *RebuiltTable) (*tableAnew, error) {
	if rt.Mapping != nil {
		rt.plan.stand = sr.stands[*rt.Mapping]
	}
	r, c, err := e.readAnew(ctx, l, sr, rt)
	if err != nil {
		return nil, err
	}
	if err := e.digestLeft(ctx, r.left); err != nil {
		return nil, err
	}
	if err := r.takeOver(ctx, c, rt.published); err != nil {
		return nil, err
	}
	if c.stages() {
		return &tableAnew{run: r, change: c}, nil
	}
	// What was staged is of no use, and may be as much as the table.
	e.spared = slices.DeleteFunc(e.spared, func(name string) bool { return name == r.attempt.name })
	return &tableAnew{run: r, change: c}, e.sweepAnew(ctx, l, sr)
}

// readAnew stages the content of a table. A part file that proves to be bad makes its dump
// one that is lost.
func (e *Engine) readAnew(ctx context.Context, l *state.Lock, sr *StateRebuild, rt *RebuiltTable) (*tableRun, *change, error) {
	for {
		r, err := e.runOn(ctx, l.Generation(), sr.plan.snap, sr.plan, rt.plan, true)
		if err != nil {
			return nil, nil, err
		}
		e.spared = append(e.spared, r.attempt.name)
		c, err := e.contentAnew(ctx, r, rt)
		bad := holding(err)
		if bad == nil || ctx.Err() != nil {
			return r, c, err
		}
		if !e.acceptsLoss(rt.Name) {
			return nil, nil, fmt.Errorf("dump %d, file %s: %w; -accept-loss=%s lets the published rows stand in for the dump", bad.file.dump, bad.file.key, bad.err, rt.Name)
		}
		rt.Lost = append(rt.Lost, LostDump{bad.file.dump, bad.file.key + ": " + bad.err.Error()})
		rt.plan.Lost = append(rt.plan.Lost, bad.file.dump)
	}
}

// anewRun makes a run one that takes nothing but the dumps that the lake has, and what
// stands in for those that are lost.
func (e *Engine) anewRun(p *Plan, t *TablePlan, r *tableRun) {
	r.old, r.oldParts, r.left = t.old, nil, slices.Clone(t.left)
	if s := t.stand; s != nil {
		r.newMapping, r.mapping, r.full = s.closure, s.standing, s.read.mapping
	}
	if r.kind != feed.KindMapping {
		r.rebuild(t, func(dump int64) bool { return e.withdrawn(p, dump, t.Name) })
		r.old.Columns = t.old.Columns
		for i := range r.old.Applied {
			if a := &r.old.Applied[i]; slices.Contains(t.Lost, a.Dump) {
				a.Lost, a.StoodIn = false, true
			}
		}
		return
	}
	r.asNew = true
	if r.mapping != nil {
		r.pending = []delivery{{dump: r.mapping.Dump, entry: &dump.Entry{Name: feed.TableMapping, Digest: r.mapping.Digest}}}
	}
}

// stages reports whether any file of the change is a staged one.
func (c *change) stages() bool {
	return slices.ContainsFunc(c.parts, func(p *part) bool { return slices.ContainsFunc(p.staged, func(s string) bool { return s != "" }) })
}
