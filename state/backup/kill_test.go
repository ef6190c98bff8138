package backup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
	"reconcile/state/local"
)

// pathEnv names the state to a child process, backupEnv the place of the backup.
const (
	pathEnv   = "BACKUP_TEST_PATH"
	backupEnv = "BACKUP_TEST_PLACE"
)

func TestMain(m *testing.M) { statetest.Main(m, child) }

func child(ctx context.Context, what string) error {
	s := local.Open(os.Getenv(pathEnv), local.Options{Program: "0.1.0", InlineLimit: 100})
	return backupChild(ctx, s, what, os.Getenv(backupEnv))
}

// backupChild is what a child process does that is killed.
func backupChild(ctx context.Context, s *state.Store, what, dir string) error {
	store, err := blob.NewLocal(dir)
	if err != nil {
		return err
	}
	place := Place{Store: store}
	if what == "backup" {
		_, err := Make(ctx, s, place, true)
		return err
	}
	b, err := Open(ctx, place, "0.1.0", state.Format{})
	if err != nil {
		return err
	}
	defer b.Close()
	l, err := s.LockOver(ctx, state.NewHolder("state restore"), 0)
	if err != nil {
		return err
	}
	if _, err := BeforeChange(ctx, s); err != nil {
		return errors.Join(err, l.Unlock())
	}
	_, err = Restore(ctx, s, l, b, 0)
	return errors.Join(err, l.Unlock())
}

// runKilled runs a child that must be killed at a point.
func runKilled(t *testing.T, what, path, dir, point string) {
	t.Helper()
	cmd := statetest.Child(what, point+"=exit", pathEnv+"="+path, backupEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 137 {
		t.Fatalf("%s with %s ended with %v:\n%s", what, point, err, out)
	}
}

// TestKilledBackup: the process dies at each step; the next run makes the backup.
func TestKilledBackup(t *testing.T) {
	path, dir := filepath.Join(t.TempDir(), "state.db"), t.TempDir()
	s := local.Open(path, local.Options{Program: "0.1.0", InlineLimit: inTest})
	putTable(t, s, statetest.Lock(t, s), "one", 10, 5000, 6000)
	for _, point := range []string{"backup.object", "backup.file", "backup.manifest"} {
		runKilled(t, "backup", path, dir, point)
		if _, err := Open(t.Context(), backupAt(t, dir), "", state.Format{}); !errors.Is(err, ErrNone) {
			t.Fatalf("after %s: %v", point, err)
		}
	}
	runKilled(t, "backup", path, dir, "backup.clean")
	if res := backUp(t, s, backupAt(t, dir)); res.Copied != 0 || res.Objects != 2 {
		t.Errorf("got %+v", res)
	}
	other := machines.NewLocal(t)
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
	s := local.Open(path, local.Options{Program: "0.1.0", InlineLimit: inTest})
	l := statetest.Lock(t, s)
	putTable(t, s, l, "one", 10, 5000, 6000)
	backUp(t, s, backupAt(t, dir))
	putTable(t, s, l, "two", 7000)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	switch what {
	case "damaged":
		statetest.WriteFile(t, path, statetest.ReadFile(t, path)[:5000])
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
