package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/published"
	"reconcile/internal/errclass"
	"reconcile/internal/shell"
	"reconcile/state"
)

// checkLost fails with ErrWhole if there is a state, and notes what is wrong with it.
func (r *Rebuilder) checkLost(ctx context.Context, sr *Plan) error {
	snap, err := r.Store.Load(ctx)
	switch {
	case errclass.Of(err) == errclass.Damaged:
		sr.Damage = err.Error()
		return nil
	case err != nil:
		return err
	}
	if snap.Serial > 0 {
		err = fmt.Errorf("%w: %s reads whole (commit %d); `reconcile plan` says what is wrong with its tables, and -repair rebuilds them one by one", ErrWhole, sr.State, snap.Serial)
	}
	return errors.Join(err, snap.Close())
}

// checkElsewhere fails with ErrElsewhere if the state of a lake is at another place than the
// configuration says, and reads whole there.
func (r *Rebuilder) checkElsewhere(ctx context.Context, l *published.Lake) error {
	for _, at := range slices.Sorted(maps.Keys(l.States)) {
		if r.Planner.Home.Resolve(at) == r.Planner.Home.Resolve(r.Store.Place()) {
			continue
		}
		snap, err := r.Planner.Home.Load(ctx, r.Planner.Home.Resolve(at))
		var moved *state.MovedError
		switch {
		case errclass.Of(err) == errclass.Damaged, errors.As(err, &moved) && r.Planner.Home.Resolve(moved.To) == r.Planner.Home.Resolve(r.Store.Place()):
			continue
		case err != nil && r.Planner.Home.SaidLost(r.Planner.Home.Resolve(at)):
			continue
		case err != nil:
			return fmt.Errorf("%s/_reconcile/current.json says that the state of the lake is %s, and whether that is lost cannot be told: %w. If that place is gone for good, %s goes on without it", l.States[at], at, err, shell.Word("-state-lost="+at))
		case snap.Serial > 0 && snap.Lineage == l.Lineage:
			err = fmt.Errorf("%w: it is %s, where it reads whole (commit %d), and not %s, as the configuration says: `reconcile init -migrate-state` moves it",
				ErrElsewhere, at, snap.Serial, r.Store.Place())
		}
		if err = errors.Join(err, snap.Close()); err != nil {
			return err
		}
	}
	return nil
}
