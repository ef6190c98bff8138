package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/local"
	"reconcile/state/remote"
)

// newer is a format that no program writes yet, and the first version that is to.
var newer = state.Format{Number: 2, Program: "0.2.0"}

// programs opens one state as a version of the program that writes a format does.
type programs func(t testing.TB, version string, f state.Format) *state.Store

func eachProgram(t *testing.T, test func(*testing.T, programs)) {
	t.Run("local", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), ".reconcile", "state.db")
		test(t, func(_ testing.TB, version string, f state.Format) *state.Store {
			return local.Open(path, local.Options{Program: version, Format: f, InlineLimit: inTest})
		})
	})
	t.Run("remote", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func(t testing.TB, version string, f state.Format) *state.Store {
			store, err := blob.NewLocal(dir)
			if err != nil {
				t.Fatal(err)
			}
			return remote.Open(store, remote.Options{Program: version, Format: f, InlineLimit: inTest, Cache: t.TempDir()})
		})
	})
}

// keep has a state back itself up, and counts how often.
func keep(s *state.Store, places *[]string) {
	s.BeforeRaise = func(ctx context.Context) (string, error) {
		res, err := BeforeChange(ctx, s)
		if err != nil {
			return "", err
		}
		*places = append(*places, res.Place)
		return res.Place, nil
	}
}

// session commits a table, unless it has no name, under a lock of its own.
func session(t *testing.T, s *state.Store, table string) (warnings []string) {
	t.Helper()
	l := statetest.Lock(t, s)
	if table != "" {
		putTable(t, s, l, table, 10, 5000)
	}
	warnings = l.Warnings()
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	return warnings
}

// refused checks that an older program says which one is needed.
func refused(t *testing.T, s *state.Store, writer string) {
	t.Helper()
	_, err := s.Load(t.Context())
	var v *state.VersionError
	if !errors.As(err, &v) || !errors.Is(err, state.ErrNewer) {
		t.Fatalf("an older program loads it: %v", err)
	}
	want := "has format 2, written by reconcile " + writer + "; this is reconcile 0.1.0, which reads up to format 1: use reconcile 0.2.0 or later"
	if !strings.Contains(err.Error(), want) {
		t.Errorf("it says %q, not %q", err, want)
	}
	l, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
	if err == nil {
		err = l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutSetting("note", nil) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, state.ErrNewer) {
		t.Errorf("an older program takes it: %v", err)
	}
}

// TestRaise raises the format of a state with the first transaction, and with nothing before
// it, after a backup that the older program reads.
func TestRaise(t *testing.T) {
	eachProgram(t, func(t *testing.T, open programs) {
		old := open(t, "0.1.0", state.Format{})
		session(t, old, "one")
		session(t, old, "two")
		_ = os.RemoveAll(filepath.Join(old.Place(), "checkpoints")) // so that the log is read
		if snap := checkTables(t, old, "one", "two"); snap.Raise != nil {
			t.Fatalf("the next transaction makes the format %v", snap.Raise)
		}

		var places []string
		next := open(t, "0.2.0", newer)
		keep(next, &places)
		if r := checkTables(t, next, "one", "two").Raise; r == nil || *r != (state.Raise{From: 1, To: newer}) {
			t.Fatalf("the next transaction makes the format %v", r)
		}
		_ = os.RemoveAll(filepath.Join(next.Place(), "lease")) // so that the log gets a fence
		if warnings := session(t, next, ""); len(places)+len(warnings) > 0 {
			t.Errorf("without a transaction it is backed up in %q: %q", places, warnings)
		}
		checkTables(t, open(t, "0.1.0", state.Format{}), "one", "two")

		warnings := session(t, next, "three")
		if len(places) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "after that only reconcile 0.2.0 or later reads it") || !strings.Contains(warnings[0], places[0]) {
			t.Fatalf("it was backed up in %q, and says %q", places, warnings)
		}
		refused(t, open(t, "0.1.0", state.Format{}), "0.2.0")
		again := open(t, "0.3.0", newer)
		keep(again, &places)
		session(t, again, "four")
		if snap := checkTables(t, again, "one", "two", "three", "four"); snap.Raise != nil || len(places) != 1 {
			t.Errorf("the next transaction makes the format %v, with backups in %q", snap.Raise, places)
		}
		refused(t, open(t, "0.1.0", state.Format{}), "0.3.0")

		// The backup is the state as it was, for the older program, too.
		store, folder, err := old.KeptBackups(false)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(t.Context(), Place{Store: store, Folder: blob.Join(folder, filepath.Base(places[0])), Shared: true}, "0.1.0", state.Format{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		fresh := localMachine(t)(t)
		l := statetest.Lock(t, fresh)
		if _, err := Restore(t.Context(), fresh, l, b, 0); err != nil {
			t.Fatal(err)
		}
		checkTables(t, fresh, "one", "two")
	})
}

// TestRaiseNeedsBackup changes nothing when the backup fails.
func TestRaiseNeedsBackup(t *testing.T) {
	eachProgram(t, func(t *testing.T, open programs) {
		session(t, open(t, "0.1.0", state.Format{}), "one")
		next := open(t, "0.2.0", newer)
		next.BeforeRaise = func(context.Context) (string, error) { return "", errors.New("the disk is full") }
		l := statetest.Lock(t, next)
		err := l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutSetting("note", []byte("x")) })
		if err == nil || !strings.Contains(err.Error(), "to be raised from 1 to 2, and the backup before that failed: the disk is full; nothing was changed") {
			t.Errorf("the transaction ends with %v", err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		checkTables(t, open(t, "0.1.0", state.Format{}), "one")
	})
}

// TestNewStateHasNewestFormat needs no backup of nothing.
func TestNewStateHasNewestFormat(t *testing.T) {
	eachProgram(t, func(t *testing.T, open programs) {
		var places []string
		next := open(t, "0.2.0", newer)
		keep(next, &places)
		session(t, next, "one")
		if snap := checkTables(t, next, "one"); snap.Raise != nil || len(places) > 0 {
			t.Errorf("the next transaction makes the format %v, with backups in %q", snap.Raise, places)
		}
		refused(t, open(t, "0.1.0", state.Format{}), "0.2.0")
	})
}
