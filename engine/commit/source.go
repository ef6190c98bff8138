package commit

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/dump"
	"reconcile/state"
)

// DumpRecord is the record of a dump, nil of none.
func DumpRecord(d *dump.Dump) *state.Dump {
	if d == nil {
		return nil
	}
	out := &state.Dump{ID: d.ID, Manifest: d.Manifest, Digest: d.Digest}
	if at := d.Object.ModTime; !at.IsZero() {
		out.Arrived = at.UnixMilli()
	}
	return out
}

// PutDump stores the record of a dump; of none it stores nothing.
func PutDump(tx *state.Tx, d *dump.Dump) error {
	if d == nil {
		return nil
	}
	return tx.PutDump(DumpRecord(d))
}

// StoreManifests writes what the manifests of a source say as an object of the state.
func StoreManifests(ctx context.Context, store *state.Store, l *dump.Listing) (*state.Sealed, error) {
	o := store.NewObject(ctx)
	if err := l.WriteKnown(o); err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the manifests: %w", err), o.Abort())
	}
	return o.Close(ctx)
}
