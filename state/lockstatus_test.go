package state_test

import (
	"errors"
	"os"
	"testing"

	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
)

// TestLockStatus: the lock is shown without being taken, on both backends.
func TestLockStatus(t *testing.T) {
	machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
		status := func() *state.LockStatus {
			t.Helper()
			st, err := open(t).LockStatus(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		var none *state.NotHeldError
		if st := status(); st.State != state.LockFree || st.FreeIn() != 0 {
			t.Errorf("a new state: %+v", st)
		}
		if err := open(t).ForceUnlock(t.Context(), "x"); !errors.As(err, &none) {
			t.Errorf("without a holder: %v", err)
		}
		l := statetest.Lock(t, open(t))
		held := status()
		if held.State != state.LockHeld || held.Holder.PID != os.Getpid() || held.Expired || held.Lease != (held.ID != "") {
			t.Errorf("held: %+v", held)
		}
		if err := open(t).ForceUnlock(t.Context(), "another"); err == nil || errors.As(err, &none) {
			t.Errorf("of another ID: %v", err)
		}
		statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutSetting("a", nil) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		if st := status(); st.State != state.LockFree {
			t.Errorf("released: %+v", st)
		}
	})
}
