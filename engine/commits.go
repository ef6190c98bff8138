package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/sinks"
	"reconcile/state"
)

// commits are what the commits of this command work with.
func (e *Engine) commits() commit.Options {
	return commit.Options{Lake: e.lake, Declared: e.declared, Home: e.home, Protected: &e.protected, Unfinished: &e.unfinished}
}

// removeStaged removes what a task staged that is given up.
func (e *Engine) removeStaged(ctx context.Context, l *state.Lock, t *exec.Task) error {
	var staged []sinks.Sink
	for _, target := range t.Sinks {
		staged = append(staged, e.lake.Sink(target.Root))
	}
	return commit.NewCleaner(l, e.commits()).Attempt(ctx, staged)
}

// commit makes a staged change the table's state, and makes it visible.
func (run *applyRun) commit(ctx context.Context, s *steps.Step, ch *commit.Change) error {
	opts := run.e.commits()
	opts.Published = run.e.meter.publishing(s.Definition)
	committer := commit.New(run.lock, opts)
	if err := committer.Prepare(ctx, ch); err != nil {
		return err
	}
	var err error
	if ch.Manifests, err = run.manifests.object(ctx); err != nil {
		return err
	}
	if ch.Manifests != nil {
		run.manifests.kept = true // if the transaction fails, so does the apply
	}
	ch.Dumps = recordsOf(run.plan, s.Pending)
	for _, h := range run.plan.Snap.Holds {
		if h.Table == ch.Table.Name && (h.Object != "" || slices.ContainsFunc(s.Pending, func(d planner.Delivery) bool { return d.Dump == h.Dump })) {
			ch.Holds = append(ch.Holds, h)
		}
	}
	return committer.Commit(ctx, ch)
}

// recordsOf are the records of the dumps of deliveries. When a dump arrived says the table
// that took it first: a manifest that is copied again is no other delivery.
func recordsOf(p *planner.Session, pending []planner.Delivery) []*state.Dump {
	var out []*state.Dump
	for _, d := range pending {
		x := commit.DumpRecord(p.Listing.Dump(d.Dump))
		if x == nil {
			continue
		}
		if was := p.Snap.Dumps[d.Dump]; was != nil && was.Arrived != 0 {
			x.Arrived = was.Arrived
		}
		out = append(out, x)
	}
	return out
}

// removeTable takes a table out of the state and, unless it is only forgotten,
// out of its sinks.
func (e *Engine) removeTable(ctx context.Context, l *state.Lock, t *planner.Table) error {
	var steps []state.Step
	switch {
	case t.Action == plan.Destroy && t.Repair != "":
		steps = slices.Clone(t.Left)
	case t.Action == plan.Destroy:
		for _, p := range t.Parts {
			for _, f := range p.Files {
				steps = append(steps, state.Step{Sink: t.Old.Sinks[f.Sink].Root, Path: f.Path, Before: f.Digest, BeforePin: f.Pin})
			}
		}
	}
	return commit.New(l, e.commits()).Remove(ctx, t.Name, t.Old, steps)
}

// restateSinks writes current.json again where only that was wrong.
func (run *applyRun) restateSinks(ctx context.Context) error {
	announcer := commit.NewAnnouncer(run.lock, run.e.commits())
	for _, root := range run.plan.Restated {
		var tables []*state.Table
		for _, r := range run.plan.ToRestate {
			if r.Root == root {
				tables = append(tables, r.Table)
			}
		}
		err := announcer.Restate(ctx, root, run.plan.Lineage, tables)
		if err != nil && !run.e.lake.StopsTable(ctx, err) {
			return err
		}
	}
	return nil
}

// withoutFingerprints lists the tables whose folders need new fingerprints: what an apply
// committed, and what had none that were good.
func withoutFingerprints(tables []*planner.Table, committed map[string]bool) []string {
	var out []string
	for _, t := range tables {
		if !t.Fingerprinted || committed[t.Name] {
			out = append(out, t.Name)
		}
	}
	return out
}

// renewFingerprints makes the fingerprints of the folders of tables, but for those whose
// commit is not visible yet.
func (e *Engine) renewFingerprints(ctx context.Context, l *state.Lock, tables []string, snap *state.Snapshot) error {
	var visible []commit.Content
	for _, name := range tables {
		under := slices.ContainsFunc(snap.Publishes, func(x *state.Publish) bool { return x.Table == name })
		if now := snap.Tables[name]; now != nil && !under {
			visible = append(visible, commit.Content{Table: now, Parts: snap.Partitions[name]})
		}
	}
	return commit.RenewFingerprints(ctx, l, e.lake, visible, e.fingerprintFrom)
}

// removeLeftovers removes what earlier commits and interrupted applies left: staged and
// spilled files, objects that nothing names, plain values that a mask hides by
// now. Where there is nothing of the kind it writes nothing. snap is the state as
// it is.
func (e *Engine) removeLeftovers(ctx context.Context, l *state.Lock, snap *state.Snapshot) error {
	if err := errors.Join(commit.NewCleaner(l, e.commits()).All(ctx, snap), e.scratch().RemoveStale()); err != nil {
		return err
	}
	return commit.CollectGarbage(ctx, l, snap)
}
