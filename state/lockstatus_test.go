package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLockStatus: the lock is shown without being taken, on both backends.
func TestLockStatus(t *testing.T) {
	eachBackend(t, 0, func(t *testing.T, open machine) {
		status := func() *LockStatus {
			t.Helper()
			st, err := open(t).LockStatus(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		var none *NotHeldError
		if st := status(); st.State != LockFree || st.FreeIn() != 0 {
			t.Errorf("a new state: %+v", st)
		}
		if err := open(t).ForceUnlock(t.Context(), "x"); !errors.As(err, &none) {
			t.Errorf("without a holder: %v", err)
		}
		l := lock(t, open(t))
		held := status()
		if held.State != LockHeld || held.Holder.PID != os.Getpid() || held.Expired || held.Lease != (held.ID != "") {
			t.Errorf("held: %+v", held)
		}
		if err := open(t).ForceUnlock(t.Context(), "another"); err == nil || errors.As(err, &none) {
			t.Errorf("of another ID: %v", err)
		}
		update(t, l, func(tx *Tx) error { return tx.PutSetting("a", nil) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		if st := status(); st.State != LockFree {
			t.Errorf("released: %+v", st)
		}
	})
}

// TestLockStatusForced: a forced lease is no longer the holder's, and a damaged one can be
// forced.
func TestLockStatusForced(t *testing.T) {
	open := remoteMachine(t, RemoteOptions{Program: "0.1.0"})
	s := open(t)
	l, err := s.Lock(t.Context(), NewHolder("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	force := func(state LockState, detail string) {
		t.Helper()
		st, err := open(t).LockStatus(t.Context())
		if err != nil || st.State != state || !strings.Contains(st.Detail, detail) {
			t.Fatalf("it is %+v, %v", st, err)
		}
		if err := open(t).ForceUnlock(t.Context(), st.ID); err != nil {
			t.Fatal(err)
		}
		if st, err = open(t).LockStatus(t.Context()); err != nil || st.State != LockForced || st.FreeIn() == 0 {
			t.Errorf("forced: %+v, %v", st, err)
		}
	}
	force(LockHeld, "")
	if err := l.Confirm(t.Context()); !errors.Is(err, ErrLost) {
		t.Errorf("the holder is told %v", err)
	}
	_ = l.Unlock()
	writeFile(t, filepath.Join(s.Place(), leaseKey), []byte("zeros"))
	force(LockDamaged, "no lease")
}
