package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/state/internal/lease"
)

// LockState says how the lock of a state stands.
type LockState string

// A lock that was forced has no holder who could renew it, and is free when the time of
// his last renewal is over.
const (
	LockFree    LockState = "free"
	LockHeld    LockState = "held"
	LockForced  LockState = "forced"
	LockDamaged LockState = "damaged"
)

// LockStatus is the lock of a state as it was read.
type LockStatus struct {
	Place string // of the state
	State LockState
	// Lease says that it is an object in a store, which outlives its holder. Else it is
	// a lock on a file, which ends with its process, and only State and Holder are set.
	Lease      bool
	Holder     Holder // zero if nobody has it, or he did not say
	ID         string // what ForceUnlock takes
	Generation uint64
	TTL        time.Duration // how long it lasts without renewal
	Margin     time.Duration // what a waiter adds
	Age        time.Duration // since the last renewal, by the store's clock
	Dated      bool          // the store tells its clock: Age and Expired mean something
	Expired    bool          // TTL and Margin have passed: who wants it has it
	Detail     string        // what is wrong with a damaged one
}

// FreeIn returns how long the lock is still kept from others if it is not renewed.
func (s *LockStatus) FreeIn() time.Duration {
	if s.State == LockFree || s.Expired {
		return 0
	}
	return max(0, s.TTL+s.Margin-s.Age)
}

// NotHeldError says that there is nothing to unlock by force.
type NotHeldError struct{ Place string }

func (e *NotHeldError) Error() string {
	return fmt.Sprintf("nobody holds the lock of state %s: nothing was changed", e.Place)
}

// LockStatus asks who has the lock, by taking it for a moment together with others who
// ask.
func (s *local) LockStatus(context.Context) (_ *LockStatus, err error) {
	out := &LockStatus{Place: s.path, State: LockFree}
	f, err := os.Open(s.lockPath())
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the lock of the state: %w", err)
	}
	defer func() { err = errors.Join(err, release(f)) }()
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		out.State, out.Holder = LockHeld, readHolder(f)
	case err != nil:
		return nil, fmt.Errorf("look at the lock of the state: %s: %w", f.Name(), err)
	}
	return out, nil
}

// ForceUnlock fails: there is nothing that outlives the holder.
func (s *local) ForceUnlock(ctx context.Context, _ string) error {
	st, err := s.LockStatus(ctx)
	switch {
	case err != nil:
		return err
	case st.State == LockFree:
		return &NotHeldError{Place: s.path}
	case st.Holder.PID == 0:
		return fmt.Errorf("the lock of state %s ends with the process that holds it, which did not say who it is: find it with `fuser %s` and end it; nothing was changed", s.path, s.lockPath())
	}
	h := st.Holder
	return fmt.Errorf("the lock of state %s ends with the process that holds it: end process %d (%q) of %s on %s, which has it since %s; nothing was changed",
		s.path, h.PID, h.Command, h.User, h.Host, h.Since.UTC().Format(time.RFC3339))
}

// LockStatus reads the lease.
func (s *remote) LockStatus(ctx context.Context) (*LockStatus, error) {
	out := &LockStatus{Place: s.place, State: LockFree, Lease: true}
	st, err := lease.Show(ctx, s.store, leaseKey)
	var damaged *lease.DamagedError
	switch {
	case errors.As(err, &damaged):
		out.State, out.ID, out.Detail = LockDamaged, damaged.ID, damaged.Reason
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
	out.State, out.Holder = LockHeld, Holder(st.Holder)
	if st.State == lease.Forced {
		out.State = LockForced
	}
	return out, nil
}

// ForceUnlock ends the renewals of the lease with this ID.
func (s *remote) ForceUnlock(ctx context.Context, id string) error {
	st, err := s.LockStatus(ctx)
	if err != nil {
		return err
	}
	if st.State == LockFree {
		return &NotHeldError{Place: s.place}
	}
	return lease.Force(ctx, s.store, leaseKey, id)
}
