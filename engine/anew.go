package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
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
	step   *tableStep
	change *commit.Change
	counts plan.Counts
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
	defer e.protected.Clear()
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
		for _, at := range planner.FoldersOf(rt.plan) {
			folders[at.Root] = append(folders[at.Root], at.Path)
		}
	}
	return commit.NewSweeper(l, e.commits()).Folders(ctx, folders)
}

// storeStand writes the objects of a mapping.
func (e *Engine) storeStand(ctx context.Context, s *mappingStand) error {
	if s == nil {
		return nil
	}
	var err error
	s.objects, err = s.read.store(ctx, e.store, s.Standing)
	return err
}

// tableAnew computes one table at the mapping where the lake has it, and takes over the
// files that hold the right rows.
func (e *Engine) tableAnew(ctx context.Context, l *state.Lock, sr *StateRebuild, rt *RebuiltTable) (*tableAnew, error) {
	if rt.Mapping != nil && sr.stands[*rt.Mapping] != nil {
		rt.plan.Stand = &sr.stands[*rt.Mapping].MappingAt
	}
	s, d, err := e.readAnew(ctx, l, sr, rt)
	if err != nil {
		return nil, err
	}
	c, err := s.changeOf(ctx, e.store, d)
	if err != nil {
		return nil, err
	}
	if err := commit.FillDigests(ctx, e.lake, s.left); err != nil {
		return nil, err
	}
	if err := s.takeOver(ctx, c, rt.published); err != nil {
		return nil, err
	}
	if stages(c) {
		return &tableAnew{step: s, change: c, counts: d.Counts}, nil
	}
	// What was staged is of no use, and may be as much as the table.
	e.protected.Remove(s.task.Attempt)
	return &tableAnew{step: s, change: c, counts: d.Counts}, e.sweepAnew(ctx, l, sr)
}

// readAnew stages the content of a table. A part file that proves to be bad makes its dump
// one that is lost.
func (e *Engine) readAnew(ctx context.Context, l *state.Lock, sr *StateRebuild, rt *RebuiltTable) (*tableStep, *exec.Done, error) {
	for {
		s, err := e.stepOn(ctx, l.Generation(), sr.plan.Snap, sr.plan, rt.plan, true)
		if err != nil {
			return nil, nil, err
		}
		if err := e.standIn(ctx, s, rt); err != nil {
			return nil, nil, err
		}
		e.protected.Add(s.task.Attempt)
		r, err := s.execute(ctx)
		if err != nil {
			return nil, nil, err
		}
		if r.Held == nil {
			return s, r.Done, nil
		}
		bad := r.Held
		if !e.ask.AcceptsLoss(rt.Name) {
			return nil, nil, fmt.Errorf("dump %d, file %s: %s; -accept-loss=%s lets the published rows stand in for the dump", bad.Dump, bad.File, bad.Reason, rt.Name)
		}
		rt.Lost = append(rt.Lost, LostDump{bad.Dump, bad.File + ": " + bad.Reason})
		rt.plan.Lost = append(rt.plan.Lost, bad.Dump)
	}
}

// standIn has published rows stand in for the rows of a table that are gone, if any are.
func (e *Engine) standIn(ctx context.Context, s *tableStep, rt *RebuiltTable) error {
	if len(rt.Lost) == 0 || s.kind == feed.KindMapping {
		return nil
	}
	sk, err := e.lake.Open(ctx, rt.from, "")
	if err != nil {
		return err
	}
	in := &exec.StandIns{Root: rt.from}
	for _, c := range rt.columns {
		in.Types = append(in.Types, exec.ColumnType{Name: c.Name, Type: c.Type.String()})
	}
	in.Files = rt.publishedIn(rt.from)
	for _, d := range rt.Lost {
		in.Dumps = append(in.Dumps, d.Dump)
	}
	slices.Sort(in.Dumps)
	s.task.StandIns, s.env.Sinks[rt.from] = in, sk
	return nil
}

// publishedIn lists the published files of a table in a sink.
func (rt *RebuiltTable) publishedIn(root string) []exec.File {
	var out []exec.File
	for _, f := range rt.published {
		if f.Root == root {
			out = append(out, exec.File{Path: f.Path, Size: f.Object.Size, Pin: f.Object.Pin})
		}
	}
	return out
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

// stages reports whether any file of the change is a staged one.
func stages(c *commit.Change) bool {
	return slices.ContainsFunc(c.Parts, func(p commit.Part) bool { return slices.ContainsFunc(p.Staged, func(s string) bool { return s != "" }) })
}
