package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/plan"
	"reconcile/internal/failpoint"
	"reconcile/sinks"
	"reconcile/state"
)

// commit makes a staged change the table's state, in one transaction, and then
// makes it visible. Before the transaction nothing is seen of the change; after
// it, whatever happens, the next apply finishes it from the staged bytes.
func (e *Engine) commit(ctx context.Context, l *state.Lock, p *Plan, r *tableStep, c *change) error {
	if err := errors.Join(e.digestLeft(ctx, r.left), e.sweepBefore(ctx, l, r.old, r.task.Attempt)); err != nil {
		return fmt.Errorf("table %s: %w", c.table.Name, err)
	}
	pub := &state.Publish{Table: c.table.Name, Attempt: r.task.Attempt}
	live := c.partitions(r.oldParts)
	manifests, err := e.manifestsObject(ctx, p)
	if err != nil {
		return err
	}
	lineage := ""
	err = l.Update(ctx, func(tx *state.Tx) error {
		lineage = tx.Lineage()
		c.table.Commit, pub.Commit = tx.Serial(), tx.Serial()
		r.nameFiles(c, tx.Serial())
		pub.Steps = r.steps(c)
		errs := []error{tx.PutTable(c.table), tx.PutPublish(pub), tx.SetLost(c.table.Name, nil), p.putManifests(tx, manifests)}
		if r.masks {
			errs = append(errs, tx.SetPlainLeft(true))
		}
		for _, o := range c.objects {
			errs = append(errs, tx.PutObject(o))
		}
		if c.all {
			tx.DeletePartitions(c.table.Name)
		}
		for _, ord := range c.removed {
			errs = append(errs, tx.DeletePartition(c.table.Name, ord))
		}
		for _, pt := range c.parts {
			errs = append(errs, tx.PutPartition(c.table.Name, &pt.record))
		}
		for _, d := range r.pending {
			errs = append(errs, putDump(tx, p.listing.Dump(d.dump)))
		}
		for _, h := range p.snap.Holds {
			if h.Table == c.table.Name && (h.Object != "" || slices.ContainsFunc(r.pending, func(d delivery) bool { return d.dump == h.Dump })) {
				errs = append(errs, tx.DeleteHold(h))
			}
		}
		return errors.Join(errs...)
	})
	if errors.Is(err, state.ErrUnknownOutcome) {
		e.spared = append(e.spared, r.task.Attempt) // it may be what the state names
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", c.table.Name, err)
	}
	err = e.publish(ctx, l, lineage, pub, c.table, live)
	var unswept *unsweptError
	if err != nil && !errors.As(err, &unswept) {
		err = fmt.Errorf("table %s was committed and is being made visible (the next apply goes on): %w", c.table.Name, err)
	}
	return err
}

// partitions returns what the table consists of after the change.
func (c *change) partitions(old []*state.Partition) []*state.Partition {
	var out []*state.Partition
	gone := map[uint32]bool{}
	for _, p := range c.parts {
		out = append(out, &p.record)
		gone[p.record.Ordinal] = true
	}
	for _, o := range c.removed {
		gone[o] = true
	}
	for _, p := range old {
		if !c.all && !gone[p.Ordinal] {
			out = append(out, p)
		}
	}
	return out
}

// place is a file of a sink.
type place struct{ root, path string }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.root, q.root), cmp.Compare(p.path, q.path))
}

// steps lists what makes a change visible: moves first, then removals of what
// no longer belongs to the table.
func (r *tableStep) steps(c *change) []state.Step {
	before := map[place]state.File{}
	for _, s := range r.left {
		before[place{s.Sink, s.Path}] = state.File{Path: s.Path, Digest: s.Before, Pin: s.BeforePin}
	}
	rewritten := map[uint32]bool{}
	for _, p := range c.parts {
		rewritten[p.record.Ordinal] = true
	}
	for _, o := range c.removed {
		rewritten[o] = true
	}
	for _, p := range r.oldParts {
		if !c.all && !rewritten[p.Ordinal] {
			continue
		}
		for _, f := range p.Files {
			before[place{r.old.Sinks[f.Sink].Root, f.Path}] = f
		}
	}
	var steps []state.Step
	for _, p := range c.parts {
		for i, f := range p.record.Files {
			at := place{c.table.Sinks[f.Sink].Root, f.Path}
			if p.staged[i] == "" {
				delete(before, at)
				continue
			}
			s := state.Step{Sink: at.root, Staged: p.staged[i], Path: f.Path, After: f.Digest, Size: f.Size}
			if b, ok := before[at]; ok {
				s.Before, s.BeforePin = b.Digest, b.Pin
				delete(before, at)
			}
			steps = append(steps, s)
		}
	}
	if c.keepsFiles() {
		return steps
	}
	for _, at := range slices.SortedFunc(maps.Keys(before), place.compare) {
		b := before[at]
		steps = append(steps, state.Step{Sink: at.root, Path: b.Path, Before: b.Digest, BeforePin: b.Pin})
	}
	return steps
}

// keepsFiles reports whether the change touches no data at all.
func (c *change) keepsFiles() bool { return !c.all && len(c.parts) == 0 && len(c.removed) == 0 }

// publish carries out a publish list. It is the tail of every commit and all of
// its recovery: each step can be repeated.
func (e *Engine) publish(ctx context.Context, l *state.Lock, lineage string, p *state.Publish, t *state.Table, live []*state.Partition) error {
	return e.publishIn(ctx, e.publishRoots(p, t), l, lineage, p, t, live)
}

// publishIn is publish in some of the sinks that a commit concerns, which have all of
// its steps.
func (e *Engine) publishIn(ctx context.Context, roots []string, l *state.Lock, lineage string, p *state.Publish, t *state.Table, live []*state.Partition) error {
	for _, root := range roots {
		e.lake.NotePublish(root)
	}
	done, err := e.announce(ctx, l, lineage, roots, p, t, false)
	if err != nil {
		return err
	}
	pins, err := e.carryOut(ctx, p.Steps, done)
	if err != nil {
		return err
	}
	if _, err := e.announce(ctx, l, lineage, roots, p, t, true); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.PublishClearBefore); err != nil {
		return err
	}
	keep, err := e.clear(ctx, l, p, t, live, pins)
	if err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.PublishClearAfter); err != nil {
		return err
	}
	for _, root := range roots {
		if err := e.sweepSink(ctx, l, root, keep, foldersIn(root, p, t)); err != nil {
			return &unsweptError{p.Table, err}
		}
	}
	return nil
}

// stepsAtOnce hides the latency of a sink behind a network.
const stepsAtOnce = 8

// carryOut carries out the steps of a publish list, all moves before the first
// removal, and returns the pins of what is there then. When one fails, no other is
// begun; those under way are not interrupted, as what a store was asked for it may
// still do, when nobody looks for it any more. In sinks that are done nothing is
// changed: it is only looked at what stands there.
func (e *Engine) carryOut(ctx context.Context, steps []state.Step, done map[string]bool) (map[place]string, error) {
	for _, s := range steps {
		if _, err := e.lake.Open(ctx, s.Sink, ""); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	pins := map[place]string{}
	for _, removals := range []bool{false, true} {
		var g errgroup.Group
		var failed atomic.Bool
		g.SetLimit(stepsAtOnce)
		for _, s := range steps {
			if (s.Staged == "") != removals {
				continue
			}
			g.Go(func() error {
				if failed.Load() {
					return nil
				}
				do := e.lake.Sink(s.Sink).Publish
				if done[s.Sink] {
					do = e.lake.Sink(s.Sink).Published
				}
				obj, err := do(ctx, sinks.Step{Staged: s.Staged, Path: s.Path, Before: s.Before, BeforePin: s.BeforePin, After: s.After, Size: s.Size})
				if err != nil {
					failed.Store(true)
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				pins[place{s.Sink, s.Path}] = obj.Pin
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
	}
	return pins, nil
}

// publishRoots lists the sinks that a commit concerns.
func (e *Engine) publishRoots(p *state.Publish, t *state.Table) []string {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		seen[s.Sink] = true
	}
	if t != nil {
		for _, s := range t.Sinks {
			seen[s.Root] = true
		}
	}
	return sortedKeys(seen)
}

// clear ends a commit: the publish list goes, the files' pins are recorded, and
// small objects that nothing names any more are removed. It returns the staging
// folders that other commits need.
func (e *Engine) clear(ctx context.Context, l *state.Lock, p *state.Publish, t *state.Table, live []*state.Partition, pins map[place]string) (keep []string, err error) {
	snap, err := l.Load(ctx)
	if err != nil {
		return nil, err
	}
	if err := snap.Close(); err != nil {
		return nil, err
	}
	snap.Publishes = slices.DeleteFunc(snap.Publishes, func(x *state.Publish) bool { return x.Table == p.Table })
	return append(attempts(snap), e.spared...), l.Update(ctx, func(tx *state.Tx) error {
		tx.CollectInline(snap, referenced(snap))
		errs := []error{tx.DeletePublish(p.Table)}
		if p.Forget {
			errs = append(errs, tx.SetLost(p.Table, nil))
			for _, h := range snap.Holds {
				if h.Table == p.Table && h.Guard == "" { // a guard holds the mapping without its table, too
					errs = append(errs, tx.DeleteHold(h))
				}
			}
			return errors.Join(append(errs, tx.DeleteTable(p.Table))...)
		}
		for _, part := range live {
			dirty := false
			for i := range part.Files {
				f := &part.Files[i]
				if pin, ok := pins[place{t.Sinks[f.Sink].Root, f.Path}]; ok && pin != "" && pin != f.Pin {
					f.Pin, dirty = pin, true
				}
			}
			if dirty {
				errs = append(errs, tx.PutPartition(p.Table, part))
			}
		}
		return errors.Join(errs...)
	})
}

// removeTable takes a table out of the state and, unless it is only forgotten,
// out of its sinks.
func (e *Engine) removeTable(ctx context.Context, l *state.Lock, t *TablePlan) error {
	pub := &state.Publish{Table: t.Name, Attempt: "remove", Forget: true}
	if err := e.sweepBefore(ctx, l, t.old, ""); err != nil {
		return err
	}
	switch {
	case t.Action == plan.Destroy && t.repair != "":
		if err := e.digestLeft(ctx, t.left); err != nil {
			return err
		}
		pub.Steps = t.left
	case t.Action == plan.Destroy:
		for _, p := range t.parts {
			for _, f := range p.Files {
				pub.Steps = append(pub.Steps, state.Step{Sink: t.old.Sinks[f.Sink].Root, Path: f.Path, Before: f.Digest, BeforePin: f.Pin})
			}
		}
	}
	lineage := ""
	err := l.Update(ctx, func(tx *state.Tx) error {
		pub.Commit, lineage = tx.Serial(), tx.Lineage()
		return tx.PutPublish(pub)
	})
	if err != nil {
		return err
	}
	return e.publish(ctx, l, lineage, pub, t.old, nil)
}
