package state

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/internal/blob"
)

// TestCheckpointUnderAnothersName: the only checkpoint is that of another record. It is
// passed over, and nothing of it is left in what the log gives.
func TestCheckpointUnderAnothersName(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		store, err := blob.NewLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		return OpenRemote(store, RemoteOptions{Program: "0.1.0", Cache: t.TempDir()})
	}
	for _, name := range []string{"first", "second"} {
		l := lock(t, open())
		update(t, l, func(tx *Tx) error { return tx.PutTable(table(name, 1)) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	want := load(t, open())
	files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	if err := os.Rename(files[1], files[0]); err != nil {
		t.Fatal(err)
	}
	got := load(t, open())
	if len(got.Notices) != 1 {
		t.Errorf("notices: %q", got.Notices)
	}
	got.Notices = nil
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
}
