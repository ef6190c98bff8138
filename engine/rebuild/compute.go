package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/engine/usermapping"
	"reconcile/internal/feed"
	"reconcile/internal/shell"
	"reconcile/state"
	"reconcile/state/backup"
)

// Rebuilt says what a rebuild of a state did.
type Rebuilt struct {
	// Before is the copy of the damaged state; nil if there is none.
	Before *backup.Result
	Commit uint64
	Tables []TableResult
}

// TableResult says what became of one table.
type TableResult struct {
	Name    string
	Counts  plan.Counts
	Kept    int // their rows were right
	Written int
	Removed int
}

// staged is a table of which all is staged and durable.
type staged struct {
	task   *exec.Task
	change *commit.Change
	counts plan.Counts
	pub    *state.Publish
}

// Rebuild makes the state anew, by a plan that was made under the same lock.
func (r *Rebuilder) Rebuild(ctx context.Context, l *state.Lock, sr *Plan) (_ *Rebuilt, err error) {
	if err := r.Refusal(sr); err != nil {
		return nil, err
	}
	m, remove, err := r.Apply.Begin()
	if err != nil {
		return nil, err
	}
	defer remove()
	out := &Rebuilt{}
	if _, err := l.Over(ctx, sr.Lineage); err != nil {
		return out, err
	}
	if out.Before, err = backup.BeforeChange(ctx, r.Store); err != nil {
		return out, fmt.Errorf("%w; nothing was changed", err)
	}
	defer r.Commits.Protected.Clear()
	tables, err := r.compute(ctx, l, m, sr)
	if err != nil {
		return out, errors.Join(fmt.Errorf("rebuilding the state (nothing of the lake was changed; `reconcile state rebuild` begins anew): %w", err), r.dropStaged(ctx, l, sr))
	}
	if out.Commit, err = r.commit(ctx, l, sr, tables); err != nil {
		return out, fmt.Errorf("rebuilding the state (run `reconcile state rebuild` again, which goes on from what was committed): %w", err)
	}
	for _, t := range tables {
		out.Tables = append(out.Tables, t.describe())
	}
	return out, r.publish(ctx, l, sr, tables)
}

// compute stages the content of all tables.
func (r *Rebuilder) compute(ctx context.Context, l *state.Lock, m *steps.Maker, sr *Plan) ([]*staged, error) {
	if err := errors.Join(r.removeStaged(ctx, l, sr), r.standsFromLake(ctx, sr)); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(sr.stands)) {
		if err := r.storeStand(ctx, sr.stands[id]); err != nil {
			return nil, err
		}
	}
	if err := r.expect(ctx, sr.Tables); err != nil {
		return nil, err
	}
	var out []*staged
	for _, rt := range sr.Tables {
		r.Meter.Turn(rt.Name)
		t, err := r.stage(ctx, l, m, sr, rt)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", rt.Name, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// removeStaged removes what dead attempts staged in the sinks of the tables: nothing names
// it any more.
func (r *Rebuilder) removeStaged(ctx context.Context, l *state.Lock, sr *Plan) error {
	folders := map[string][]string{}
	for _, rt := range sr.Tables {
		for _, at := range planner.FoldersOf(rt.plan) {
			folders[at.Root] = append(folders[at.Root], at.Path)
		}
	}
	return commit.NewCleaner(l, r.Commits).Folders(ctx, folders)
}

// storeStand writes the objects of a mapping.
func (r *Rebuilder) storeStand(ctx context.Context, s *stand) error {
	if s == nil {
		return nil
	}
	var err error
	s.objects, err = usermapping.Store(ctx, r.Store, s.read, s.Standing)
	return err
}

// stage computes one table at the mapping where the lake has it, and takes over the
// files that hold the right rows.
func (r *Rebuilder) stage(ctx context.Context, l *state.Lock, m *steps.Maker, sr *Plan, rt *Table) (*staged, error) {
	if rt.Mapping != nil && sr.stands[*rt.Mapping] != nil {
		rt.plan.Stand = &sr.stands[*rt.Mapping].MappingAt
	}
	s, d, err := r.execute(ctx, l.Generation(), m, sr, rt)
	if err != nil {
		return nil, err
	}
	c, err := s.ChangeOf(ctx, r.Store, d, r.Now())
	if err != nil {
		return nil, err
	}
	if err := commit.FillDigests(ctx, r.Planner.Lake, c.Left); err != nil {
		return nil, err
	}
	if err := (&takeOver{s.Task, s.Env, r.compare(rt, s.Env.Events)}).replace(ctx, c, rt.published); err != nil {
		return nil, err
	}
	r.compared(c)
	if stages(c) {
		return &staged{task: s.Task, change: c, counts: d.Counts}, nil
	}
	// What was staged is of no use, and may be as much as the table.
	r.Commits.Protected.Remove(s.Task.Attempt)
	return &staged{task: s.Task, change: c, counts: d.Counts}, r.removeStaged(ctx, l, sr)
}

// execute stages the content of a table. A part file that proves to be bad makes its dump
// one that is lost.
func (r *Rebuilder) execute(ctx context.Context, generation uint64, m *steps.Maker, sr *Plan, rt *Table) (*steps.Step, *exec.Done, error) {
	for {
		in, err := r.standIns(ctx, rt)
		if err != nil {
			return nil, nil, err
		}
		s, err := m.On(ctx, generation, sr.plan.Snap, steps.Order{Plan: sr.plan, Table: rt.plan, StandIns: in,
			Step: plan.Step{Kind: plan.StepRestore, Class: plan.ClassRebuild, Repair: true}})
		if err != nil {
			return nil, nil, err
		}
		r.Commits.Protected.Add(s.Task.Attempt)
		res, err := s.Execute(ctx)
		if err != nil {
			return nil, nil, err
		}
		switch res.Outcome {
		case exec.OutcomeDone:
			return s, res.Done, nil
		case exec.OutcomeNothing:
			return nil, nil, errors.New("the executor found nothing to do, where all of the table is to be made")
		}
		bad := res.Held
		if !r.Planner.Ask.AcceptsLoss(rt.Name) {
			return nil, nil, fmt.Errorf("dump %d, file %s: %s; %s lets the published rows stand in for the dump", bad.Dump, bad.File, bad.Reason, shell.Word("-accept-loss="+rt.Name))
		}
		rt.Lost = append(rt.Lost, LostDump{bad.Dump, bad.File + ": " + bad.Reason})
		rt.plan.Lost = append(rt.plan.Lost, bad.Dump)
	}
}

// standIns are the published rows that stand in for the rows of a table that are gone, nil
// if none are.
func (r *Rebuilder) standIns(ctx context.Context, rt *Table) (*exec.StandIns, error) {
	if len(rt.Lost) == 0 || rt.plan.Kind == feed.KindMapping {
		return nil, nil
	}
	if _, err := r.Planner.Lake.Open(ctx, rt.from); err != nil {
		return nil, err
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
	return in, nil
}

// publishedIn lists the published files of a table in a sink.
func (rt *Table) publishedIn(root string) []exec.File {
	var out []exec.File
	for _, f := range rt.published {
		if f.Root == root {
			out = append(out, exec.File{Path: f.Path, Size: f.Object.Size, Pin: f.Object.Pin})
		}
	}
	return out
}

// stages reports whether any file of the change is a staged one.
func stages(c *commit.Change) bool {
	return slices.ContainsFunc(c.Parts, func(p commit.Part) bool { return slices.ContainsFunc(p.Staged, func(s string) bool { return s != "" }) })
}
