package remote

import (
	"context"
	"fmt"

	"reconcile/state"
)

// beginOver puts the session behind all that stands in the log. What it commits there
// is the fence, too, that it may owe.
func (l *session) beginOver(ctx context.Context, damage error) error {
	rem, err := l.log.chain.Remains(ctx)
	if err != nil {
		return err
	}
	known := l.log.known(ctx, rem)
	if known.Generation > l.held.Generation() {
		return l.tooOld(ctx, known.Generation)
	}
	r := l.log.newReplica()
	r.Meta.Slot, r.Meta.Record = rem.Top.Serial, rem.Top.Digest[:]
	r.Meta.Serial, r.Meta.Lineage, r.Meta.Generation = known.Serial, known.Lineage, known.Generation
	l.replica, l.lineage, l.over = r, known.Lineage, damage
	if len(rem.Checkpoints) > 0 {
		l.saved = rem.Checkpoints[0].Serial
	}
	return nil
}

// Over says what stands in the log. Where nothing was ever committed the state takes
// the lineage.
func (l *session) Over(_ context.Context, lineage string) (state.Base, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil && !l.replacing() {
		return state.Base{}, err
	}
	meta := l.replica.Meta
	born := meta.Serial > 0 || l.over != nil
	if born && meta.Lineage != "" && meta.Lineage != lineage {
		return state.Base{}, &state.LineageError{Place: l.place, Lineage: meta.Lineage, What: "what is to replace it", Want: lineage}
	}
	l.lineage = lineage
	return state.Base{Serial: meta.Serial, Lineage: meta.Lineage, Generation: l.held.Generation(), Whole: l.over == nil && meta.Serial > 0, Damage: l.over}, nil
}

// replacing reports whether the session can do nothing but replace all.
func (l *session) replacing() bool {
	return l.over != nil && l.broken == nil && l.replica != nil && l.held.Valid()
}

// replaced ends the commit of what replaces a damaged state: readers find it by its
// checkpoint only.
func (l *session) replaced(ctx context.Context) error {
	if l.over == nil {
		return nil
	}
	l.checkpoint(ctx)
	if l.saved != l.replica.Meta.Slot {
		return fmt.Errorf("record %d replaces the damaged state, but its checkpoint could not be written, and readers do not find it: run again", l.replica.Meta.Slot)
	}
	l.held.Fenced()
	l.over = nil
	return nil
}
