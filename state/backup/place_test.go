package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
	"reconcile/state/local"
)

// TestBackupOfIncompleteState: a state that lacks an object is not backed up, and the
// backup before stands; before a change it is, as far as it goes, and so it comes back.
func TestBackupOfIncompleteState(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		s := open(t)
		l := statetest.Lock(t, s)
		putTable(t, s, l, "one", 5000)
		place := backupAt(t, t.TempDir())
		backUp(t, s, place)
		putTable(t, s, l, "two", 6000, 7000)
		lost := statetest.Load(t, s).Tables["two"].Index[0]
		if isFile(t, s) {
			remove(t, filepath.Join(s.Place()+objectsSuffix, lost.Digest[:2], lost.Digest))
		} else {
			remove(t, filepath.Join(s.Place(), "objects", lost.Name))
		}
		if _, err := Make(t.Context(), s, place, true); !errors.Is(err, state.ErrMissingObject) || !strings.Contains(err.Error(), lost.Digest) {
			t.Fatalf("got %v", err)
		}
		b, err := Open(t.Context(), place, "", state.Format{})
		if err != nil || b.Manifest.Serial != 1 {
			t.Fatalf("the backup before: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		res, err := BeforeChange(t.Context(), s)
		if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], lost.Digest) {
			t.Fatalf("before a change: %v, %+v", err, res)
		}
		kept := backupAt(t, filepath.Dir(res.Place))
		kept.Folder, kept.Shared = filepath.Base(res.Place), true
		other := localMachine(t)(t)
		mustRestore(t, other, kept, 0)
		snap := statetest.Load(t, other)
		statetest.CheckContent(t, other, snap.Tables["two"].Index[1], statetest.Random(7000))
		if _, err := other.OpenObject(t.Context(), snap.Tables["two"].Index[0]); !errors.Is(err, state.ErrMissingObject) {
			t.Errorf("the lost object: %v", err)
		}
	})
}

// TestNewerBackupStands: a state from a backup does not take the place of a newer one.
func TestNewerBackupStands(t *testing.T) {
	s := localMachine(t)(t)
	l := statetest.Lock(t, s)
	putTable(t, s, l, "one", 5000)
	old, newer := backupAt(t, t.TempDir()), backupAt(t, t.TempDir())
	backUp(t, s, old)
	putTable(t, s, l, "two", 6000)
	putTable(t, s, l, "three", 7000)
	backUp(t, s, newer)
	copied := filepath.Join(t.TempDir(), "state.db")
	b, err := Open(t.Context(), old, "", state.Format{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	statetest.WriteFile(t, copied, statetest.ReadFile(t, filepath.Join(old.String(), b.Manifest.File.Name)))
	if err := os.CopyFS(copied+objectsSuffix, os.DirFS(s.Place()+objectsSuffix)); err != nil {
		t.Fatal(err)
	}
	_, err = Make(t.Context(), local.Open(copied, local.Options{InlineLimit: inTest}), newer, true)
	if err == nil || !strings.Contains(err.Error(), "it is newer than the state") {
		t.Errorf("got %v", err)
	}
}

// TestDamagedPlaceIsMended: what is damaged in a place for backups is replaced by the next
// backup.
func TestDamagedPlaceIsMended(t *testing.T) {
	s := localMachine(t)(t)
	putTable(t, s, statetest.Lock(t, s), "one", 5000, 6000)
	dir := t.TempDir()
	backUp(t, s, backupAt(t, dir))
	objects := filesIn(t, filepath.Join(dir, "objects"))
	spoil(t, objects[0])
	remove(t, objects[1])
	spoil(t, filepath.Join(dir, manifestName))
	res := backUp(t, s, backupAt(t, dir))
	if res.Copied != 2 || len(res.Warnings) != 1 {
		t.Errorf("got %+v", res)
	}
	b, err := Open(t.Context(), backupAt(t, dir), "", state.Format{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackupTrust: damage that no pin shows is found by who does not trust pins.
func TestBackupTrust(t *testing.T) {
	s := localMachine(t)(t)
	putTable(t, s, statetest.Lock(t, s), "one", 5000, 6000)
	dir := t.TempDir()
	backUp(t, s, backupAt(t, dir))
	path := filesIn(t, filepath.Join(dir, "objects"))[0]
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	spoil(t, path)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	for _, trust := range []bool{true, false} {
		res, err := Make(t.Context(), s, backupAt(t, dir), trust)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 0, false: 1}[trust]; res.Copied != want {
			t.Errorf("trust %v: %d objects were copied", trust, res.Copied)
		}
	}
}
