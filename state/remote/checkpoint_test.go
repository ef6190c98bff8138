package remote

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// TestCheckpointUnderAnothersName: the only checkpoint is that of another record. It is
// passed over, and nothing of it is left in what the log gives.
func TestCheckpointUnderAnothersName(t *testing.T) {
	dir := t.TempDir()
	open := func() *state.Store {
		store, err := blob.NewLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		return Open(store, Options{Program: "0.1.0", Cache: t.TempDir()})
	}
	for _, name := range []string{"first", "second"} {
		l := statetest.Lock(t, open())
		statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutTable(statetest.Table(name, 1)) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	want := statetest.Load(t, open())
	files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	if err := os.Rename(files[1], files[0]); err != nil {
		t.Fatal(err)
	}
	got := statetest.Load(t, open())
	if len(got.Notices) != 1 {
		t.Errorf("notices: %q", got.Notices)
	}
	got.Notices = nil
	if d := statetest.Diff(want, got); d != "" {
		t.Error(d)
	}
}
