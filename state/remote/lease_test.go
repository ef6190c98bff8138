package remote

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// TestOldLeasePutBack: a lease of before that somebody puts back stops nobody, and the
// generations of records never fall.
func TestOldLeasePutBack(t *testing.T) {
	dir := t.TempDir()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *state.Store { return Open(store, Options{Program: "0.1.0", Cache: t.TempDir()}) }
	step := func(name string) uint64 {
		t.Helper()
		l, err := open().Lock(t.Context(), state.NewHolder("apply"), 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutSetting(name, []byte(name)) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		return l.Generation()
	}
	step("a")
	lease := filepath.Join(dir, leaseKey)
	old := statetest.ReadFile(t, lease)
	var newest uint64
	for _, name := range []string{"b", "c", "d"} {
		newest = step(name)
	}
	if err := os.Remove(lease); err != nil {
		t.Fatal(err)
	}
	statetest.WriteFile(t, lease, old)
	broken, err := failpoint.Parse("record.before=error")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(store, Options{Program: "0.1.0", TTL: 300 * time.Millisecond, Margin: time.Millisecond}).
		Lock(failpoint.With(t.Context(), broken), state.NewHolder("apply"), 0)
	if err == nil {
		t.Fatal("there is no fence, and the lock was given: ", l.Unlock())
	}
	if strings.Contains(string(statetest.ReadFile(t, lease)), `"released"`) {
		t.Error("the lease was released before its fence stood")
	}
	if got := step("e"); got <= newest {
		t.Errorf("generation %d after %d", got, newest)
	}
	if got := step("f"); got <= newest {
		t.Errorf("generation %d after %d", got, newest)
	}
	if snap := statetest.Load(t, open()); len(snap.Settings) != 6 {
		t.Errorf("there is %v", snap.Settings)
	}
}

// TestLostBeforeItsTime: a lease that somebody removed is lost, though it could last.
func TestLostBeforeItsTime(t *testing.T) {
	dir := t.TempDir()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *state.Store { return Open(store, Options{Program: "0.1.0"}) }
	l := statetest.Lock(t, open())
	if err := l.Lost(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, leaseKey)); err != nil {
		t.Fatal(err)
	}
	statetest.Lock(t, open())
	if err := l.Lost(); !errors.Is(err, state.ErrLost) {
		t.Errorf("got %v", err)
	}
}
