package remote

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// TestLockStatusForced: a forced lease is no longer the holder's, and a damaged one can be
// forced.
func TestLockStatusForced(t *testing.T) {
	open := machine(t)
	s := open(t)
	l, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	force := func(want state.LockState, detail string) {
		t.Helper()
		st, err := open(t).LockStatus(t.Context())
		if err != nil || st.State != want || !strings.Contains(st.Detail, detail) {
			t.Fatalf("it is %+v, %v", st, err)
		}
		if err := open(t).ForceUnlock(t.Context(), st.ID); err != nil {
			t.Fatal(err)
		}
		if st, err = open(t).LockStatus(t.Context()); err != nil || st.State != state.LockForced || st.FreeIn() == 0 {
			t.Errorf("forced: %+v, %v", st, err)
		}
	}
	force(state.LockHeld, "")
	if err := l.Confirm(t.Context()); !errors.Is(err, state.ErrLost) {
		t.Errorf("the holder is told %v", err)
	}
	_ = l.Unlock()
	statetest.WriteFile(t, filepath.Join(s.Place(), leaseKey), []byte("zeros"))
	force(state.LockDamaged, "no lease")
}

// machine makes machines for one state in a folder that stands for a bucket.
func machine(t *testing.T) func(t *testing.T) *state.Store {
	dir := t.TempDir()
	return func(t *testing.T) *state.Store {
		t.Helper()
		store, err := blob.NewLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		return Open(store, Options{Program: "0.1.0", Cache: t.TempDir()})
	}
}
