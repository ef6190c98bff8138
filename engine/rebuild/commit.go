package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/planner"
	"reconcile/internal/errclass"
	"reconcile/internal/feed"
	"reconcile/state"
)

// commit makes the new state, in one transaction.
func (r *Rebuilder) commit(ctx context.Context, l *state.Lock, sr *Plan, tables []*staged) (serial uint64, err error) {
	for _, t := range tables {
		if err := commit.CanCarryOut(ctx, r.Planner.Lake, t.change.Steps()); err != nil {
			return 0, fmt.Errorf("table %s: %w", t.change.Table.Name, err)
		}
	}
	manifests, err := commit.StoreManifests(ctx, r.Store, sr.plan.Listing)
	if err != nil {
		return 0, err
	}
	_, judged := r.Planner.Ask.Config.CheckNames(planner.EverDelivered(sr.plan)) // the lake was made with these masks
	err = l.Replace(ctx, sr.Lineage, sr.above, func(tx *state.Tx) error {
		serial = tx.Serial()
		errs := []error{tx.PutObject(manifests), tx.SetManifests(manifests.Ref), sr.putMappings(tx)}
		for _, digest := range judged {
			errs = append(errs, tx.SetJudgedMask(digest, true))
		}
		for _, t := range tables {
			errs = append(errs, t.put(tx, sr.plan))
		}
		for _, t := range sr.empty {
			errs = append(errs, commit.PutForgotten(tx, t.Placed()))
		}
		return errors.Join(errs...)
	})
	return serial, err
}

// putMappings stores the mappings that tables stand at; the newest is that of the state.
// All of them were applied, so that no guard judges them again.
func (sr *Plan) putMappings(tx *state.Tx) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(sr.stands)) {
		s := sr.stands[id]
		if s == nil {
			continue
		}
		for _, o := range s.objects {
			errs = append(errs, tx.PutObject(o))
		}
		errs = append(errs, tx.SetMapping(s.Standing), tx.SetAccepted(state.Delivery{Table: feed.TableMapping, Dump: id}, s.Standing.Digest),
			commit.PutDump(tx, sr.plan.Listing.Dump(id)))
	}
	return errors.Join(errs...)
}

// put stores a table, with the list of what makes it visible. The list is there also
// where no file changes: current.json has to name the new commit.
func (t *staged) put(tx *state.Tx, p *planner.Session) error {
	for _, d := range t.task.Deliveries {
		if x := commit.DumpRecord(p.Listing.Dump(d.Dump)); x != nil {
			t.change.Dumps = append(t.change.Dumps, x)
		}
	}
	var err error
	t.pub, err = t.change.PutNew(tx)
	return err
}

// publish makes the tables visible, and removes leftovers.
func (r *Rebuilder) publish(ctx context.Context, l *state.Lock, sr *Plan, tables []*staged) error {
	r.Commits.Protected.Clear()
	for _, t := range tables {
		name := t.change.Table.Name
		err := commit.New(l, r.publishing(name)).Publish(ctx, sr.Lineage, t.pub, t.change.Table, t.change.Partitions())
		r.Meter.End(name)
		var left *commit.StagedLeftError
		if err != nil && !errors.As(err, &left) {
			return fmt.Errorf("the state is rebuilt, and table %s is being made visible (the next apply goes on): %w", t.change.Table.Name, err)
		}
		if err != nil {
			return err
		}
	}
	if len(sr.empty) > 0 { // their lists are carried out as those of a run that was stopped
		if err := r.recover(ctx, l, commit.New(l, r.Commits)); err != nil {
			return err
		}
	}
	snap, err := r.Planner.Declared.Load(ctx, l)
	if err != nil {
		return err
	}
	var names []string
	for _, rt := range sr.Tables {
		names = append(names, rt.Name)
	}
	return r.Apply.Finish(ctx, l, names, snap)
}

// recover finishes what the state lists and is not visible yet.
func (r *Rebuilder) recover(ctx context.Context, l *state.Lock, c *commit.Committer) (err error) {
	snap, err := r.Planner.Declared.Load(ctx, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	if err := r.Planner.Lake.CheckHome(ctx, snap); err != nil {
		return err
	}
	_, err = c.Recover(ctx, snap, nil)
	return err
}

// dropStaged removes what was staged for a state that was not made. Once a transaction was
// tried, it may have been: then what it lists has to stay.
func (r *Rebuilder) dropStaged(ctx context.Context, l *state.Lock, sr *Plan) error {
	r.Commits.Protected.Clear()
	if errclass.Of(context.Cause(ctx)) == errclass.LeaseLost {
		return nil
	}
	return r.removeStaged(context.WithoutCancel(ctx), l, sr)
}

// describe counts what became of the files.
func (t *staged) describe() TableResult {
	out := TableResult{Name: t.change.Table.Name, Counts: t.counts}
	written := int64(0)
	for _, p := range t.change.Parts {
		for i, f := range p.Record.Files {
			if p.Staged[i] == "" {
				out.Kept++
				continue
			}
			out.Written++
			written += f.Size
		}
	}
	out.Counts.Written = written
	for _, s := range t.pub.Steps {
		if s.Staged == "" {
			out.Removed++
		}
	}
	return out
}
