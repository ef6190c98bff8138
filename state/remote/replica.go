package remote

import (
	"context"
	"fmt"

	"reconcile/state/internal/chain"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
)

// replica is a copy of a state, as of one record of its log. Its meta record says which
// one that is, so that a cached file or a checkpoint cannot be taken for that of another
// one.
type replica struct{ *statefile.Private }

// position is the record that the replica stands at.
func (r *replica) position() chain.Position {
	p := chain.Position{Serial: r.Meta.Slot}
	copy(p.Digest[:], r.Meta.Record)
	return p
}

// newerPosition is where the newer one of two replicas stands, which may be nil.
func newerPosition(old, newer *replica) chain.Position {
	switch {
	case newer != nil:
		return newer.position()
	case old != nil:
		return old.position()
	}
	return chain.Position{}
}

// apply makes the replica that of the state after a record with a transaction.
func (r *replica) apply(c *kv.Changes, rec *chain.Record) error {
	if c.Before != r.Meta.Serial && !c.Replaces || r.Meta.Serial > 0 && c.Lineage != r.Meta.Lineage {
		return fmt.Errorf("the transaction comes behind serial %d of lineage %s, the state is at %d of %s", c.Before, c.Lineage, r.Meta.Serial, r.Meta.Lineage)
	}
	return r.run(c, rec, func() error { return nil })
}

// skip notes a record that changes nothing.
func (r *replica) skip(rec *chain.Record) error {
	return r.Amend(func(m *statefile.Meta) {
		m.Lineage = rec.Lineage
		standAt(m, rec)
	})
}

// run applies the transaction of a record, unless it changes nothing. When it is ready,
// before is called, whose error gives it up; after that, the record has its digest.
func (r *replica) run(c *kv.Changes, rec *chain.Record, before func() error) error {
	_, err := r.Apply(c, rec.Program, before, func(m *statefile.Meta) { standAt(m, rec) })
	return err
}

// standAt makes a meta record that of the state after a record of the log.
func standAt(m *statefile.Meta, rec *chain.Record) {
	digest := rec.Digest()
	m.Slot, m.Record, m.Generation = rec.Serial, digest[:], rec.Generation
	m.Format, m.Needs, m.Program = max(rec.Format, 1), rec.Needs, rec.Program
}

// detach replaces a replica by one of the same content with a file of its own.
func (r *replica) detach(ctx context.Context) (*replica, error) {
	own, err := r.Detach(ctx)
	return &replica{own}, err
}

// close gives the file up, if there is one. A second call does nothing.
func (r *replica) close() error {
	if r == nil {
		return nil
	}
	return r.Close()
}
