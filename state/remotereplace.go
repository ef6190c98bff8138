package state

import (
	"context"
	"fmt"
	"time"

	"reconcile/state/internal/chain"
)

// LockOver acquires the lease, also where the log cannot be read.
func (s *remote) LockOver(ctx context.Context, holder Holder, wait time.Duration) (Session, error) {
	return s.lock(ctx, holder, wait, true)
}

// beginOver puts the session behind all that stands in the log. What it commits there
// is the fence, too, that it may owe.
func (l *remoteSession) beginOver(ctx context.Context, damage error) error {
	rem, err := l.s.chain.Remains(ctx)
	if err != nil {
		return err
	}
	known := l.s.known(ctx, rem)
	if known.Generation > l.held.Generation() {
		return l.tooOld(ctx, known.Generation)
	}
	r := l.s.newReplica()
	r.meta.Slot, r.meta.Record = rem.Top.Serial, rem.Top.Digest[:]
	r.meta.Serial, r.meta.Lineage, r.meta.Generation = known.Serial, known.Lineage, known.Generation
	l.replica, l.lineage, l.over = r, known.Lineage, damage
	if len(rem.Checkpoints) > 0 {
		l.saved = rem.Checkpoints[0].Serial
	}
	return nil
}

// known gathers the greatest serial and generation that what is left of a state tells
// of, and its lineage.
func (s *remote) known(ctx context.Context, rem *chain.Remains) (m metaRecord) {
	note := func(lineage string, serial, generation uint64) {
		if lineage != "" {
			m.Lineage = lineage
		}
		m.Serial, m.Generation = max(m.Serial, serial), max(m.Generation, generation)
	}
	for _, k := range rem.Checkpoints {
		r := s.newReplica()
		if s.useCheckpoint(ctx, k, r) == nil {
			note(r.meta.Lineage, r.meta.Serial, r.meta.Generation)
		}
		_ = r.close()
	}
	for _, rec := range rem.Records {
		note(rec.Lineage, 0, rec.Generation)
		payload, err := s.chain.Payload(ctx, rec)
		if err != nil || len(payload) == 0 {
			continue
		}
		if tx, err := decodeTx(payload); err == nil {
			note(tx.lineage, tx.serial, 0)
		}
	}
	return m
}

// Over says what stands in the log. Where nothing was ever committed the state takes
// the lineage.
func (l *remoteSession) Over(_ context.Context, lineage string) (Base, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil && !l.replacing() {
		return Base{}, err
	}
	meta := l.replica.meta
	born := meta.Serial > 0 || l.over != nil
	if born && meta.Lineage != "" && meta.Lineage != lineage {
		return Base{}, &LineageError{Place: l.s.place, Lineage: meta.Lineage, What: "what is to replace it", Want: lineage}
	}
	l.lineage = lineage
	return Base{Serial: meta.Serial, Lineage: meta.Lineage, Generation: l.held.Generation(), Whole: l.over == nil && meta.Serial > 0, Damage: l.over}, nil
}

// replacing reports whether the session can do nothing but replace all.
func (l *remoteSession) replacing() bool {
	return l.over != nil && l.broken == nil && l.replica != nil && l.held.Valid()
}

// replaced ends the commit of what replaces a damaged state: readers find it by its
// checkpoint only.
func (l *remoteSession) replaced(ctx context.Context) error {
	if l.over == nil {
		return nil
	}
	l.checkpoint(ctx)
	if l.saved != l.replica.meta.Slot {
		return fmt.Errorf("record %d replaces the damaged state, but its checkpoint could not be written, and readers do not find it: run again", l.replica.meta.Slot)
	}
	l.held.Fenced()
	l.over = nil
	return nil
}
