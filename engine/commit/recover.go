package commit

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/lake"
	"reconcile/internal/errclass"
	"reconcile/state"
)

// Recover finishes what was committed and not made visible, by the publish lists of the
// state, without those of the tables in leaving. Every apply does this before it plans
// (C10). A commit whose sink fails stays for the next apply, and is noted as unfinished.
func (c *Committer) Recover(ctx context.Context, snap *state.Snapshot, leaving map[string]bool) (tables []string, err error) {
	for _, p := range snap.Publishes {
		if c.unfinished.Why(p.Table) != nil || leaving[p.Table] {
			continue
		}
		err := c.finish(ctx, snap, p)
		if errclass.Of(err) == errclass.SinkMissing {
			c.unfinished.noteReason(p.Table, err)
			continue
		}
		if errclass.Of(err) == errclass.StagedLost {
			err = c.abandon(ctx, p, err)
		}
		if err != nil {
			err = fmt.Errorf("finishing the interrupted commit of table %s: %w", p.Table, err)
			if !c.lake.StopsTable(ctx, err) {
				return tables, err
			}
			c.unfinished.noteReason(p.Table, err)
			continue
		}
		tables = append(tables, p.Table)
	}
	return tables, nil
}

// finish carries out what is left of a publish list that was found in the state.
func (c *Committer) finish(ctx context.Context, snap *state.Snapshot, p *state.Publish) error {
	t := snap.Tables[p.Table]
	if err := c.mayPublish(ctx, snap, p, t); err != nil {
		return err
	}
	rest, roots, err := c.lake.WithoutLost(ctx, snap, p, Roots(p, t))
	if err != nil {
		return err
	}
	return c.publishIn(ctx, roots, snap.Lineage, rest, t, snap.Partitions[p.Table])
}

// mayPublish refuses to finish a commit in sinks that a newer state has written since
// (C15), or another one (C12).
func (c *Committer) mayPublish(ctx context.Context, snap *state.Snapshot, p *state.Publish, t *state.Table) error {
	for _, root := range Roots(p, t) {
		head, err := c.lake.Head(ctx, root)
		switch {
		case err != nil:
			return err
		case head.Current == nil:
		case head.Current.Lineage != snap.Lineage:
			return c.lake.OtherLineage(root, head.Current.Lineage, snap.Lineage)
		case head.Current.Tables[p.Table].Commit > p.Commit:
			return lake.FoundNewer(ctx, c.lock, c.home.OlderText(root, head.Current.Tables[p.Table].Commit, p.Commit))
		}
	}
	return nil
}

// abandon replaces a publish list that can no longer be carried out by a record that has
// the table rebuilt (C11).
func (c *Committer) abandon(ctx context.Context, p *state.Publish, why error) error {
	m := &state.LostCommit{Why: why.Error()}
	for _, s := range p.Steps {
		if s.Staged == "" {
			m.Left = append(m.Left, s)
		}
	}
	return c.lock.Update(ctx, func(tx *state.Tx) error {
		return errors.Join(tx.DeletePublish(p.Table), tx.SetLost(p.Table, m))
	})
}
