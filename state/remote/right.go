package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/lease"
)

// leaseKey is the lease's key below the state's place.
const leaseKey = "lease"

// errNotLocked says that something needs the lease and there is none.
var errNotLocked = errors.New("the lock of the state is not held")

// right is a lease that was acquired, and names how it was lost. It may be used by
// several goroutines.
type right struct {
	held  *lease.Held
	store blob.Store
	place string // of the state
}

// oldLeaseError says that the log has a record of a greater generation than a lease that
// was acquired just now and is still held: an old content of the lease was put back.
type oldLeaseError struct {
	generation uint64 // of the record
	err        error
}

func (e *oldLeaseError) Error() string { return e.err.Error() }
func (e *oldLeaseError) Unwrap() error { return e.err }

// tooOld is the error of a session whose generation is below that of a record.
func (l *right) tooOld(ctx context.Context, generation uint64) error {
	err := l.lost(fmt.Errorf("the log has a record of generation %d, this lease is of %d", generation, l.held.Generation()))
	if l.held.Check(ctx) == nil {
		return &oldLeaseError{generation, err}
	}
	return err
}

// whoTime is how long asking who has the lease may take.
const whoTime = 10 * time.Second

// Lost says how the lease was lost, if it is not valid any more or, by the store, another's
// or gone.
func (l *right) Lost() error {
	if l.held.Valid() {
		ctx, cancel := context.WithTimeout(context.Background(), whoTime)
		defer cancel()
		if err := l.Confirm(ctx); errors.Is(err, state.ErrLost) {
			return err
		}
		return nil
	}
	return l.lost(errors.New("it was not renewed in time"))
}

// lost names how the lease was lost, and to whom if the store says so; else with err.
func (l *right) lost(err error) error {
	var lost *lease.LostError
	ctx, cancel := context.WithTimeout(context.Background(), whoTime)
	defer cancel()
	if !errors.As(context.Cause(l.held.Context()), &lost) {
		errors.As(l.held.Check(ctx), &lost)
	}
	if lost != nil {
		err = lost
	}
	if lost != nil && lost.By == nil { // the store was slow to say
		if by, serr := lease.Show(ctx, l.store, leaseKey); serr == nil && by != nil && by.ID != l.held.ID() {
			err = &lease.LostError{Place: lost.Place, By: by, Reason: "it was taken over by " + by.Holder.String()}
		}
	}
	return &state.LostError{Place: l.place, Err: err}
}

// Context returns a context that ends with the lease, too.
func (l *right) Context(ctx context.Context) context.Context {
	out, cancel := context.WithCancelCause(ctx)
	held := l.held.Context()
	context.AfterFunc(held, func() {
		var lost *lease.LostError
		if errors.As(context.Cause(held), &lost) {
			cancel(&state.LostError{Place: l.place, Err: lost})
		}
	})
	return out
}

// Generation is that of the lease.
func (l *right) Generation() uint64 { return l.held.Generation() }

// Confirm reads the lease.
func (l *right) Confirm(ctx context.Context) error {
	err := l.held.Check(ctx)
	var lost *lease.LostError
	if errors.As(err, &lost) {
		return &state.LostError{Place: l.place, Err: lost}
	}
	return err
}
