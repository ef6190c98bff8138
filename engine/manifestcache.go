package engine

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/dump"
	"reconcile/state"
)

// Manifests stay for ever, and a source behind a network has a request for each to
// pay and to wait for. What they said is kept in the state by the first commit of
// an apply; the next plan reads the new ones, and those that may have changed.

// listSource lists the source.
func (e *Engine) listSource(ctx context.Context, snap *state.Snapshot) (*dump.Listing, error) {
	if snap.Manifests.IsZero() {
		return e.source.List(ctx)
	}
	known, err := loadManifests(ctx, e.store, snap.Manifests)
	if err != nil {
		return nil, err
	}
	return e.source.ListKnown(ctx, known)
}

// manifestsObject makes the object of the manifests that the plan saw, nil if
// the state has them.
func (e *Engine) manifestsObject(ctx context.Context, p *Plan) (*state.Sealed, error) {
	if p.manifestsKept || p.listing.Fresh == 0 {
		return nil, nil
	}
	return storeManifests(ctx, e.store, p.listing.Known())
}

// putManifests makes it what the state knows.
func (p *Plan) putManifests(tx *state.Tx, o *state.Sealed) error {
	if o == nil {
		return nil
	}
	p.manifestsKept = true // if the transaction fails, so does the apply
	return errors.Join(tx.PutObject(o), tx.SetManifests(o.Ref))
}

func storeManifests(ctx context.Context, store *state.Store, known []byte) (*state.Sealed, error) {
	o := store.NewObject(ctx)
	if _, err := o.Write(known); err != nil {
		return nil, errors.Join(fmt.Errorf("keeping the manifests: %w", err), o.Abort())
	}
	return o.Close(ctx)
}

func loadManifests(ctx context.Context, store *state.Store, ref state.Ref) (known []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the manifests that the state keeps: %w", err)
		}
	}()
	o, err := store.OpenObject(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	return o.ReadAll(ctx)
}
