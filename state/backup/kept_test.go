package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
)

// TestBackupBeforeChange keeps the newest ten.
func TestBackupBeforeChange(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		s := open(t)
		if res, err := BeforeChange(t.Context(), s); err != nil || res != nil {
			t.Fatalf("of no state: %v, %v", res, err)
		}
		l := statetest.Lock(t, s)
		var dirs []string
		foreign := ""
		for i := range 13 {
			putTable(t, s, l, fmt.Sprint("t", i), 10, 5000, 5001+i)
			if i > 0 {
				statetest.Update(t, l, func(tx *state.Tx) error { return tx.DeleteTable(fmt.Sprint("t", i-1)) })
			}
			res, err := BeforeChange(t.Context(), s)
			if err != nil || len(res.Warnings) > 0 {
				t.Fatalf("%v: %v", err, res)
			}
			if i > 0 && res.Copied != 1 {
				t.Errorf("backup %d copied %d objects", i, res.Copied)
			}
			dirs = append(dirs, res.Place)
			if foreign == "" { // before all others in the order of names
				foreign = filepath.Join(filepath.Dir(res.Place), "0lake", "part-0.parquet")
				if err := os.MkdirAll(filepath.Dir(foreign), 0o700); err != nil {
					t.Fatal(err)
				}
				statetest.WriteFile(t, foreign, []byte("PAR1"))
			}
		}
		if string(statetest.ReadFile(t, foreign)) != "PAR1" {
			t.Error("what is no backup was touched")
		}
		for i, dir := range dirs {
			_, err := os.Stat(dir)
			if want := i >= 3; (err == nil) != want {
				t.Errorf("backup %d is there: %v, want %v", i, err == nil, want)
			}
		}
		if got := len(filesIn(t, filepath.Join(filepath.Dir(dirs[0]), "objects"))); got != 11 {
			t.Errorf("%d objects are kept", got)
		}
		place := backupAt(t, filepath.Dir(dirs[5]))
		place.Folder, place.Shared = filepath.Base(dirs[5]), true
		other := machines.NewLocal(t)
		mustRestore(t, other, place, 0)
		checkTables(t, other, "t5")
	})
}

// TestCompactNamesBackups: after a mask was added, backups that a state keeps of itself
// are named.
func TestCompactNamesBackups(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		s := open(t)
		l := statetest.Lock(t, s)
		putTable(t, s, l, "one", 10, 5000)
		if err := l.Compact(t.Context()); err != nil || strings.Contains(strings.Join(l.Warnings(), "\n"), "backups in") {
			t.Fatalf("without backups: %v, %q", err, l.Warnings())
		}
		res, err := BeforeChange(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		putTable(t, s, l, "two", 10)
		if err := l.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w := strings.Join(l.Warnings(), "\n"); !strings.Contains(w, filepath.Base(res.Place)) || !strings.Contains(w, "plain values") {
			t.Errorf("the warnings are %q", w)
		}
	})
}
