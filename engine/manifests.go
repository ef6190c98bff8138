package engine

import (
	"context"
	"errors"

	"reconcile/engine/commit"
	"reconcile/engine/planner"
	"reconcile/state"
)

// manifestKeeper has the state keep what the manifests of the source say, with the first
// transaction of an apply that commits something.
type manifestKeeper struct {
	store *state.Store
	plan  *planner.Session
	kept  bool // the state knows what the plan listed
}

// mend stores the manifests again if what the state has of them is damaged.
func (k *manifestKeeper) mend(ctx context.Context, l *state.Lock) error {
	if !k.plan.ManifestsBad {
		return nil
	}
	o, err := commit.StoreManifests(ctx, k.store, k.plan.Listing)
	if err != nil {
		return err
	}
	return l.Update(ctx, func(tx *state.Tx) error { return k.put(tx, o) })
}

// object makes the object of the manifests that the plan saw, nil if the state has them.
func (k *manifestKeeper) object(ctx context.Context) (*state.Sealed, error) {
	if k.kept || k.plan.Listing.Fresh == 0 {
		return nil, nil
	}
	return commit.StoreManifests(ctx, k.store, k.plan.Listing)
}

// put makes it what the state knows. If the transaction fails, so does the apply.
func (k *manifestKeeper) put(tx *state.Tx, o *state.Sealed) error {
	if o == nil {
		return nil
	}
	k.kept = true
	return errors.Join(tx.PutObject(o), tx.SetManifests(o.Ref))
}
