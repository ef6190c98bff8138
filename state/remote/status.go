package remote

import (
	"context"
	"errors"

	"reconcile/state"
	"reconcile/state/internal/lease"
)

// LockStatus reads the lease.
func (s *backend) LockStatus(ctx context.Context) (*state.LockStatus, error) {
	out := &state.LockStatus{Place: s.Place(), State: state.LockFree, Lease: true}
	st, err := lease.Show(ctx, s.store, leaseKey)
	var damaged *lease.DamagedError
	switch {
	case errors.As(err, &damaged):
		out.State, out.ID, out.Detail = state.LockDamaged, damaged.ID, damaged.Reason
		return out, nil
	case err != nil:
		return nil, err
	case st == nil:
		return out, nil
	}
	out.ID, out.Generation, out.TTL, out.Margin = st.ID, st.Generation, st.TTL, st.Margin
	out.Age, out.Dated, out.Expired = st.Age, !st.Now.IsZero(), st.Expired
	if st.State == lease.Released {
		return out, nil
	}
	out.State, out.Holder = state.LockHeld, state.Holder(st.Holder)
	if st.State == lease.Forced {
		out.State = state.LockForced
	}
	return out, nil
}

// ForceUnlock ends the renewals of the lease with this ID.
func (s *backend) ForceUnlock(ctx context.Context, id string) error {
	st, err := s.LockStatus(ctx)
	if err != nil {
		return err
	}
	if st.State == state.LockFree {
		return &state.NotHeldError{Place: s.Place()}
	}
	return lease.Force(ctx, s.store, leaseKey, id)
}
