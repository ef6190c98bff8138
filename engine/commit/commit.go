package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Prepare readies a table for the commit of a change: it was computed from what the state
// has, what earlier commits of the table staged is gone from its sinks (C16), and of each
// file that goes the digest is known (C7). It fails with a BaseError where the state moved
// on.
func (c *Committer) Prepare(ctx context.Context, ch *Change) error {
	err := c.checkBase(ctx, ch)
	if err == nil {
		err = errors.Join(FillDigests(ctx, c.lake, ch.Left), c.cleaner.checkRemoved(ctx, ch.Old, ch.Attempt))
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", ch.Table.Name, err)
	}
	ch.prepared = true
	return nil
}

// checkBase refuses a change that was computed from another content than the state has.
func (c *Committer) checkBase(ctx context.Context, ch *Change) error {
	snap, err := c.declared.LoadTables(ctx, c.lock, ch.Table.Name)
	if err != nil {
		return err
	}
	ch.before = snap.Tables[ch.Table.Name]
	now := BaseOf(ch.before, snap.Partitions[ch.Table.Name])
	if now != ch.Base {
		return &BaseError{ch.Table.Name, ch.Base, now}
	}
	return nil
}

// Commit makes a change, for which Prepare was called, the table's state, in one
// transaction, and then makes it visible. Before the transaction nothing is seen of the
// change (C4); after it, whatever happens, the next apply finishes it from the staged
// bytes.
func (c *Committer) Commit(ctx context.Context, ch *Change) error {
	if !ch.prepared {
		return fmt.Errorf("table %s: its change was not prepared for a commit", ch.Table.Name)
	}
	var pub *state.Publish
	lineage := ""
	err := c.lock.Update(ctx, func(tx *state.Tx) (err error) {
		lineage = tx.Lineage()
		pub, err = ch.putRecords(tx)
		return err
	})
	if errors.Is(err, state.ErrUnknownOutcome) {
		c.protected.Add(ch.Attempt) // it may be what the state names
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", ch.Table.Name, err)
	}
	err = c.Publish(ctx, lineage, pub, ch.Table, ch.Partitions())
	var left *StagedLeftError
	if err != nil && !errors.As(err, &left) {
		err = fmt.Errorf("table %s was committed and is being made visible (the next apply goes on): %w", ch.Table.Name, err)
	}
	return err
}

// putRecords stores all that the change makes of the table, with the list of what makes it
// visible (C3).
func (c *Change) putRecords(tx *state.Tx) (*state.Publish, error) {
	name := c.Table.Name
	c.Table.Uncounted = uncounted(c.before, c.Table)
	var errs []error
	if c.Whole {
		tx.DeletePartitions(name)
	}
	for _, ord := range c.Removed {
		errs = append(errs, tx.DeletePartition(name, ord))
	}
	pub, err := c.PutNew(tx)
	errs = append(errs, err, tx.SetLost(name, nil))
	if c.Manifests != nil {
		errs = append(errs, tx.PutObject(c.Manifests), tx.SetManifests(c.Manifests.Ref))
	}
	if c.Masks {
		errs = append(errs, tx.SetPlainLeft(true))
	}
	for _, h := range c.Holds {
		errs = append(errs, tx.DeleteHold(h))
	}
	if c.Unheld {
		errs = append(errs, state.PutHeldStep(tx, name, nil))
	}
	for d, digest := range c.Judged {
		errs = append(errs, tx.SetAccepted(d, digest))
	}
	return pub, errors.Join(errs...)
}

// PutNew stores the table of a change in a state that does not have it, with the list of
// what makes it visible. The list is there also where no file changes: current.json has to
// name the new commit. It fails where that list removes other files than the change says.
func (c *Change) PutNew(tx *state.Tx) (*state.Publish, error) {
	c.Table.Commit = tx.Serial()
	c.nameFiles(tx.Serial())
	pub := &state.Publish{Table: c.Table.Name, Attempt: c.Attempt, Commit: tx.Serial(), Steps: c.Steps()}
	errs := []error{c.checkRemovals(pub.Steps), c.follow(tx.Serial()), tx.PutTable(c.Table), tx.PutPublish(pub)}
	for _, o := range c.Objects {
		errs = append(errs, tx.PutObject(o))
	}
	for _, p := range c.Parts {
		errs = append(errs, tx.PutPartition(c.Table.Name, p.Record))
	}
	for _, d := range c.Dumps {
		errs = append(errs, tx.PutDump(d))
	}
	return pub, errors.Join(errs...)
}

// removal is the attempt that removals of tables name: they stage nothing.
const removal = "remove"

// Remove takes a table out of the state and, by the steps, out of its sinks. Without
// steps it is only forgotten.
func (c *Committer) Remove(ctx context.Context, table string, old *state.Table, steps []state.Step) error {
	if err := c.cleaner.checkRemoved(ctx, old, ""); err != nil {
		return err
	}
	if err := FillDigests(ctx, c.lake, steps); err != nil {
		return err
	}
	pub := &state.Publish{Table: table, Attempt: removal, Forget: true, Steps: steps}
	lineage := ""
	err := c.lock.Update(ctx, func(tx *state.Tx) error {
		pub.Commit, lineage = tx.Serial(), tx.Lineage()
		return errors.Join(tx.PutPublish(pub), keepCounted(tx, old))
	})
	if err != nil {
		return err
	}
	return c.Publish(ctx, lineage, pub, old, nil)
}

// keepCounted notes that guards do not judge the full resync again that the rows of a table
// count from, should the table come back.
func keepCounted(tx *state.Tx, old *state.Table) error {
	if old == nil || old.Kind == feed.KindMapping {
		return nil
	}
	id, ok := rules.LatestResync(lake.StandingDumps(old))
	if !ok {
		return nil
	}
	i := slices.IndexFunc(old.Applied, func(a state.Applied) bool { return a.Dump == id })
	return tx.SetAccepted(state.Delivery{Table: old.Name, Dump: id}, old.Applied[i].Digest)
}

// PutForgotten has current.json no longer name a table of which a new state knows only
// where it is: it comes again as a new one.
func PutForgotten(tx *state.Tx, t *state.Table) error {
	return errors.Join(tx.PutTable(t), tx.PutPublish(&state.Publish{Table: t.Name, Commit: tx.Serial(), Attempt: removal, Forget: true}))
}
