package commit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/failpoint"
	"reconcile/sinks"
	"reconcile/state"
)

// Publish carries out a publish list. It is the tail of every commit and all of its
// recovery: each step can be repeated. t is the table's record, live what it consists of
// after the commit.
func (c *Committer) Publish(ctx context.Context, lineage string, p *state.Publish, t *state.Table, live []*state.Partition) error {
	return c.publishIn(ctx, Roots(p, t), lineage, p, t, live)
}

// publishIn is Publish in some of the sinks that a commit concerns, which have all of
// its steps. The list stays until every step is done (C8).
func (c *Committer) publishIn(ctx context.Context, roots []string, lineage string, p *state.Publish, t *state.Table, live []*state.Partition) error {
	for _, root := range roots {
		c.lake.NotePublish(root)
	}
	done, err := c.announcer.Announce(ctx, lineage, roots, p, t, false)
	if err != nil {
		return err
	}
	pins, err := c.carryOut(ctx, p.Steps, done)
	if err != nil {
		return err
	}
	if _, err := c.announcer.Announce(ctx, lineage, roots, p, t, true); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.PublishClearBefore); err != nil {
		return err
	}
	keep, err := c.clear(ctx, p, t, live, pins)
	if err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.PublishClearAfter); err != nil {
		return err
	}
	for _, root := range roots {
		if err := c.cleaner.removeStaged(ctx, root, keep, foldersIn(root, p, t)); err != nil {
			return &StagedLeftError{p.Table, err}
		}
	}
	return nil
}

// stepsAtOnce hides the latency of a sink behind a network.
const stepsAtOnce = 8

// carryOut carries out the steps of a publish list, all moves before the first removal
// (C6), and returns the pins of what is there then. When one fails, no other is begun;
// those under way are not interrupted, as what a store was asked for it may still do,
// when nobody looks for it any more. In sinks that are done nothing is changed: it is
// only looked at what stands there.
func (c *Committer) carryOut(ctx context.Context, steps []state.Step, done map[string]bool) (map[sinks.Place]string, error) {
	for _, s := range steps {
		if _, err := c.lake.Open(ctx, s.Sink); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	pins := map[sinks.Place]string{}
	for _, removals := range []bool{false, true} {
		var g errgroup.Group
		var failed atomic.Bool
		g.SetLimit(stepsAtOnce)
		for _, s := range steps {
			if (s.Staged == "") != removals {
				continue
			}
			sink := c.lake.Sink(s.Sink)
			g.Go(func() error {
				if failed.Load() {
					return nil
				}
				pin, err := carryOutStep(ctx, sink, s, done[s.Sink])
				if err != nil {
					failed.Store(true)
					return err
				}
				if c.published != nil && !removals {
					c.published(s.Size)
				}
				mu.Lock()
				defer mu.Unlock()
				pins[sinks.Place{Root: s.Sink, Path: s.Path}] = pin
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
	}
	return pins, nil
}

// carryOutStep carries out one step, or looks what stands there if the commit is done. It
// returns the pin of that. The sink decides by what stands at the destination (C7).
func carryOutStep(ctx context.Context, sink sinks.Sink, s state.Step, done bool) (pin string, err error) {
	do := sink.Publish
	if done {
		do = sink.Published
	}
	obj, err := do(ctx, sinks.Step{Staged: s.Staged, Path: s.Path, Before: s.Before, BeforePin: s.BeforePin, After: s.After, Size: s.Size})
	return obj.Pin, err
}

// Roots lists the sinks that a commit concerns.
func Roots(p *state.Publish, t *state.Table) []string {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		seen[s.Sink] = true
	}
	if t != nil {
		for _, s := range t.Sinks {
			seen[s.Root] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// clear ends a commit: the publish list goes, the files' pins are recorded (C8), and small
// objects that nothing names any more are removed (C9). It returns the staging folders
// that other commits need.
func (c *Committer) clear(ctx context.Context, p *state.Publish, t *state.Table, live []*state.Partition, pins map[sinks.Place]string) (keep []string, err error) {
	snap, err := c.lock.LoadTables(ctx, p.Table)
	if err != nil {
		return nil, err
	}
	unnamed, err := c.lock.Unnamed(ctx)
	if err != nil {
		return nil, err
	}
	err = c.lock.Update(ctx, func(tx *state.Tx) error {
		tx.CollectInline(unnamed)
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
		return errors.Join(append(errs, putPins(tx, t, live, pins)...)...)
	})
	if err != nil {
		return nil, err
	}
	return c.cleaner.needed(ctx)
}

// putPins records the pins that the files of a table have.
func putPins(tx *state.Tx, t *state.Table, live []*state.Partition, pins map[sinks.Place]string) (errs []error) {
	for _, part := range live {
		now := part
		for i, f := range part.Files {
			pin := pins[sinks.Place{Root: t.Sinks[f.Sink].Root, Path: f.Path}]
			if pin == "" || pin == f.Pin {
				continue
			}
			if now == part {
				now = part.Fork()
			}
			now.Files[i].Pin = pin
		}
		if now != part {
			errs = append(errs, tx.PutPartition(t.Name, now))
		}
	}
	return errs
}
