package state

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"reconcile/internal/blob"
)

// backupChild is what a child process does that is killed.
func backupChild(ctx context.Context, s *Store, what, dir string) error {
	store, err := blob.NewLocal(dir)
	if err != nil {
		return err
	}
	place := BackupPlace{Store: store}
	if what == "backup" {
		_, err := s.Backup(ctx, place, true)
		return err
	}
	b, err := OpenBackup(ctx, place, Options{Program: "0.1.0"})
	if err != nil {
		return err
	}
	defer b.Close()
	l, err := s.LockOver(ctx, NewHolder("state restore"), 0)
	if err != nil {
		return err
	}
	if _, err := s.BackupBeforeChange(ctx); err != nil {
		return errors.Join(err, l.Unlock())
	}
	_, err = s.Restore(ctx, l, b, 0)
	return errors.Join(err, l.Unlock())
}

// runKilled runs a child that must be killed at a point.
func runKilled(t *testing.T, what, path, dir, point string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what, pathEnv+"="+path, backupEnv+"="+dir, failEnv+"="+point+"=exit")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 137 {
		t.Fatalf("%s with %s ended with %v:\n%s", what, point, err, out)
	}
}

// TestKilledBackup: the process dies at each step; the next run makes the backup.
func TestKilledBackup(t *testing.T) {
	path, dir := filepath.Join(t.TempDir(), "state.db"), t.TempDir()
	s := Open(path, Options{Program: "0.1.0", InlineLimit: inTest})
	putTable(t, s, lock(t, s), "one", 10, 5000, 6000)
	for _, point := range []string{"backup.object", "backup.file", "backup.manifest"} {
		runKilled(t, "backup", path, dir, point)
		if _, err := OpenBackup(t.Context(), backupAt(t, dir), Options{}); !errors.Is(err, ErrNoBackup) {
			t.Fatalf("after %s: %v", point, err)
		}
	}
	runKilled(t, "backup", path, dir, "backup.clean")
	if res := backUp(t, s, backupAt(t, dir)); res.Copied != 0 || res.Objects != 2 {
		t.Errorf("got %+v", res)
	}
	other := newStore(t)
	mustRestore(t, other, backupAt(t, dir), 0)
	checkTables(t, other, "one")
}

// TestKilledRestore: the process dies at each step; the state is what it was, or is what
// the backup holds, and the next run restores it.
func TestKilledRestore(t *testing.T) {
	for _, point := range []string{"lock.acquired", "backup.object", "backup.manifest", "restore.object", "object.write", "object.rename", "state.commit.before", "state.commit.after"} {
		for _, what := range []string{"whole", "damaged", "gone"} {
			t.Run(what+"/"+point, func(t *testing.T) { testKilledRestore(t, what, point) })
		}
	}
}

func testKilledRestore(t *testing.T, what, point string) {
	path, dir := filepath.Join(t.TempDir(), "state.db"), t.TempDir()
	s := Open(path, Options{Program: "0.1.0", InlineLimit: inTest})
	l := lock(t, s)
	putTable(t, s, l, "one", 10, 5000, 6000)
	backUp(t, s, backupAt(t, dir))
	putTable(t, s, l, "two", 7000)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	switch what {
	case "damaged":
		writeFile(t, path, readFile(t, path)[:5000])
	case "gone":
		remove(t, path)
		remove(t, path+objectsSuffix)
	}
	if what != "whole" && (point == "backup.object" || point == "backup.manifest") {
		t.Skip("nothing is backed up before")
	}
	runKilled(t, "restore", path, dir, point)
	switch after := point == "state.commit.after"; {
	case after:
		checkTables(t, s, "one")
	case what == "whole":
		checkTables(t, s, "one", "two")
	case what == "gone":
		if _, err := s.Load(t.Context()); err != nil {
			t.Error(err)
		}
	}
	mustRestore(t, s, backupAt(t, dir), 0)
	checkTables(t, s, "one")
}
