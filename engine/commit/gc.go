package commit

import (
	"context"

	"reconcile/state"
)

// CollectGarbage removes what the state keeps and nothing names: objects, and plain values that
// a mask hides by now. Where there is nothing of the kind it writes nothing (C13). snap is
// the state as it is.
func CollectGarbage(ctx context.Context, l *state.Lock, snap *state.Snapshot) error {
	keep := referenced(snap)
	if _, err := l.Collect(ctx, keep); err != nil {
		return err
	}
	if !snap.PlainLeft {
		return nil
	}
	err := l.Update(ctx, func(tx *state.Tx) error {
		tx.CollectInline(snap.InlineBut(keep))
		return tx.SetPlainLeft(true)
	})
	if err != nil {
		return err
	}
	if err := l.Compact(ctx); err != nil {
		return err
	}
	return l.Update(ctx, func(tx *state.Tx) error { return tx.SetPlainLeft(false) })
}

// referenced tells, by its ID, which objects of the state are named.
func referenced(snap *state.Snapshot) func(id string) bool {
	keep := map[string]bool{}
	for ref := range snap.Refs() {
		keep[ref.ID()] = true
	}
	return func(id string) bool { return keep[id] }
}
