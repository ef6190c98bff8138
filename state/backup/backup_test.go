package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
	"reconcile/state/local"
	"reconcile/state/remote"
)

// objectsSuffix ends the folder of the objects of a state in a file.
const objectsSuffix = ".objects"

// inTest is the size up to which objects are inside the states of these tests.
const inTest = 100

// eachPair runs a test for a state of each kind whose backup goes to one of each kind.
func eachPair(t *testing.T, test func(t *testing.T, from, to machines.Machine)) {
	machines.Each(t, inTest, func(t *testing.T, from machines.Machine) {
		t.Run("to local", func(t *testing.T) { test(t, from, localMachine(t)) })
	})
	machines.Each(t, inTest, func(t *testing.T, from machines.Machine) {
		t.Run("to remote", func(t *testing.T) {
			test(t, from, machines.Remote(t, remote.Options{Program: "0.1.0", InlineLimit: inTest}))
		})
	})
}

func localMachine(t testing.TB) machines.Machine {
	path := filepath.Join(t.TempDir(), ".reconcile", "state.db")
	return func(testing.TB) *state.Store {
		return local.Open(path, local.Options{Program: "0.1.0", InlineLimit: inTest})
	}
}

func backupAt(t testing.TB, dir string) Place {
	t.Helper()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	return Place{Store: store}
}

// putTable commits a table whose objects, small and bulky ones, are random(n).
func putTable(t *testing.T, s *state.Store, l *state.Lock, name string, sizes ...int) {
	t.Helper()
	var objects []*state.Sealed
	for _, n := range sizes {
		objects = append(objects, statetest.Write(t, s, statetest.Random(n), 1))
	}
	statetest.Update(t, l, func(tx *state.Tx) error {
		tb := statetest.Table(name, tx.Serial())
		tb.Index = nil
		for _, o := range objects {
			tb.Index = append(tb.Index, o.Ref)
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutTable(tb), tx.PutPartition(name, statetest.Partition(1, 5)), tx.PutSetting("note", []byte(name)))
	})
}

// checkTables checks that a state has some tables with their objects, and no others.
func checkTables(t *testing.T, s *state.Store, names ...string) *state.Snapshot {
	t.Helper()
	snap := statetest.Load(t, s)
	if len(snap.Tables) != len(names) {
		t.Fatalf("there are %d tables, want %v", len(snap.Tables), names)
	}
	for _, name := range names {
		tb := snap.Tables[name]
		if tb == nil || len(snap.Partitions[name]) != 1 {
			t.Fatalf("there is no whole table %q", name)
		}
		for _, ref := range tb.Index {
			statetest.CheckContent(t, s, ref, statetest.Random(int(ref.Size)))
		}
	}
	return snap
}

func backUp(t testing.TB, s *state.Store, to Place) *Result {
	t.Helper()
	res, err := Make(t.Context(), s, to, true)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func restore(ctx context.Context, s *state.Store, from Place, above uint64) (uint64, error) {
	b, err := Open(ctx, from, "0.1.0", state.Format{})
	if err != nil {
		return 0, err
	}
	defer b.Close()
	l, err := s.LockOver(ctx, state.NewHolder("state restore"), 0)
	if err != nil {
		return 0, err
	}
	serial, err := Restore(ctx, s, l, b, above)
	return serial, errors.Join(err, l.Unlock())
}

func mustRestore(t testing.TB, s *state.Store, from Place, above uint64) uint64 {
	t.Helper()
	serial, err := restore(t.Context(), s, from, above)
	if err != nil {
		t.Fatal(err)
	}
	return serial
}

// TestBackupRestores: what a backup of one kind of state holds, a state of either kind
// gets, where there was none.
func TestBackupRestores(t *testing.T) {
	eachPair(t, func(t *testing.T, from, to machines.Machine) {
		a := from(t)
		l := statetest.Lock(t, a)
		putTable(t, a, l, "one", 10, 5000, 300)
		place := backupAt(t, t.TempDir())
		backUp(t, from(t), place)
		putTable(t, a, l, "two", 20, 6000)
		if res := backUp(t, from(t), place); res.Copied != 1 || res.Objects != 3 || res.Serial != 2 {
			t.Errorf("the second backup: %+v", res)
		}
		want := checkTables(t, from(t), "one", "two")
		if serial := mustRestore(t, to(t), place, 40); serial != 1040 {
			t.Errorf("the restored state is at commit %d", serial)
		}
		got := checkTables(t, to(t), "one", "two")
		if got.Lineage != want.Lineage || string(got.Settings["note"]) != "two" {
			t.Errorf("lineage %s, want %s", got.Lineage, want.Lineage)
		}
		b := to(t)
		m := statetest.Lock(t, b)
		putTable(t, b, m, "three", 7000)
		if got := checkTables(t, to(t), "one", "two", "three"); got.Serial != 1041 {
			t.Errorf("the next commit is %d", got.Serial)
		}
	})
}

// TestRestoreOnTop: on top of a state that reads, a backup takes the next serial.
func TestRestoreOnTop(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		a := open(t)
		l := statetest.Lock(t, a)
		putTable(t, a, l, "one", 10, 5000)
		place := backupAt(t, t.TempDir())
		backUp(t, open(t), place)
		putTable(t, a, l, "two", 20, 6000)
		putTable(t, a, l, "three", 30)
		reader := open(t)
		old, err := reader.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		if serial := mustRestore(t, open(t), place, 2); serial != 4 {
			t.Errorf("the restored state is at commit %d", serial)
		}
		for _, ref := range old.Tables["two"].Index {
			statetest.CheckContent(t, reader, ref, statetest.Random(int(ref.Size)))
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		checkTables(t, open(t), "one")
		checkTables(t, a, "one")
		if serial := mustRestore(t, open(t), place, 100); serial != 101 {
			t.Errorf("restored again, it is at commit %d", serial)
		}
		checkTables(t, open(t), "one")
	})
}

// TestRestoreRefusesAnotherLineage, naming both.
func TestRestoreRefusesAnotherLineage(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		other := machines.NewLocal(t)
		putTable(t, other, statetest.Lock(t, other), "one", 10, 5000)
		place := backupAt(t, t.TempDir())
		backUp(t, other, place)
		s := open(t)
		l := statetest.Lock(t, s)
		putTable(t, s, l, "two", 10, 5000)
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		_, err := restore(t.Context(), open(t), place, 0)
		var lineage *state.LineageError
		if !errors.As(err, &lineage) || !strings.Contains(err.Error(), statetest.Load(t, other).Lineage) || !strings.Contains(err.Error(), statetest.Load(t, s).Lineage) {
			t.Errorf("got %v", err)
		}
		checkTables(t, open(t), "two")
		if _, err := Make(t.Context(), open(t), place, false); err == nil || !strings.Contains(err.Error(), "another place") {
			t.Errorf("a backup over that of another state: %v", err)
		}
	})
}

// TestRestoreOverDamage: a state that cannot be read is replaced, and goes on above all
// that is known.
func TestRestoreOverDamage(t *testing.T) {
	damages := map[string]func(t *testing.T, dir string){
		"the newest record": func(t *testing.T, dir string) { spoil(t, newestIn(t, filepath.Join(dir, "log"))) },
		"all checkpoints and the first record": func(t *testing.T, dir string) {
			for _, path := range filesIn(t, filepath.Join(dir, "checkpoints")) {
				statetest.WriteFile(t, path, statetest.ReadFile(t, path)[:5000])
			}
			remove(t, filesIn(t, filepath.Join(dir, "log"))[0])
		},
		"no lease": func(t *testing.T, dir string) {
			spoil(t, newestIn(t, filepath.Join(dir, "log")))
			remove(t, filepath.Join(dir, "lease"))
		},
		"an empty record": func(t *testing.T, dir string) { statetest.WriteFile(t, newestIn(t, filepath.Join(dir, "log")), nil) },
		"all gone": func(t *testing.T, dir string) {
			for _, d := range []string{"log", "checkpoints", "objects", "lease"} {
				remove(t, filepath.Join(dir, d))
			}
		},
	}
	for name, damage := range damages {
		t.Run("remote/"+name, func(t *testing.T) {
			dir := t.TempDir()
			open := func(t testing.TB) *state.Store {
				store, err := blob.NewLocal(dir)
				if err != nil {
					t.Fatal(err)
				}
				return remote.Open(store, remote.Options{Program: "0.1.0", InlineLimit: inTest, Cache: t.TempDir()})
			}
			testOverDamage(t, open, func() { damage(t, dir) })
		})
	}
	for name, damage := range map[string]func(t *testing.T, path string){
		"cut":   func(t *testing.T, path string) { statetest.WriteFile(t, path, statetest.ReadFile(t, path)[:5000]) },
		"empty": func(t *testing.T, path string) { statetest.WriteFile(t, path, nil) },
		"gone":  remove,
		"all gone": func(t *testing.T, path string) {
			remove(t, filepath.Dir(path))
		},
	} {
		t.Run("local/"+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".reconcile", "state.db")
			open := func(t testing.TB) *state.Store {
				return local.Open(path, local.Options{Program: "0.1.0", InlineLimit: inTest})
			}
			testOverDamage(t, open, func() { damage(t, path) })
		})
	}
}

func testOverDamage(t *testing.T, open machines.Machine, damage func()) {
	s := open(t)
	place := backupAt(t, t.TempDir())
	for i, name := range []string{"one", "two"} {
		l, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
		if err != nil {
			t.Fatal(err)
		}
		putTable(t, s, l, name, 10, 5000)
		if i == 1 {
			putTable(t, s, l, "three", 20)
			unlockWithoutCheckpoint(t, s, l)
		} else if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			backUp(t, s, place)
		}
	}
	damage()
	serial := mustRestore(t, open(t), place, 3)
	if serial < 1003 {
		t.Errorf("the restored state is at commit %d", serial)
	}
	checkTables(t, open(t), "one")
	s = open(t)
	putTable(t, s, statetest.Lock(t, s), "four", 9, 8000)
	if got := checkTables(t, open(t), "one", "four"); got.Serial != serial+1 {
		t.Errorf("the next commit is %d, behind %d", got.Serial, serial)
	}
}

// unlockWithoutCheckpoint removes what an unlock writes of checkpoints, so that the log
// matters.
func unlockWithoutCheckpoint(t *testing.T, s *state.Store, l *state.Lock) {
	t.Helper()
	checkpoints := func() []string {
		list, err := filepath.Glob(filepath.Join(s.Place(), "checkpoints", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := checkpoints()
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	for _, path := range checkpoints() {
		if !slices.Contains(before, path) {
			remove(t, path)
		}
	}
}

// isFile reports whether a state lies in a file, not in a folder that stands for a bucket.
func isFile(t *testing.T, s *state.Store) bool {
	t.Helper()
	info, err := os.Stat(s.Place())
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().IsRegular()
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func spoil(t *testing.T, path string) {
	t.Helper()
	data := statetest.ReadFile(t, path)
	for at := len(data) / 3; at < len(data) && at < len(data)/3+64; at++ {
		data[at] ^= 0xff
	}
	statetest.WriteFile(t, path, data)
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(list) == 0 {
		t.Fatalf("nothing is in %s: %v", dir, err)
	}
	slices.Sort(list)
	return list
}

func newestIn(t *testing.T, dir string) string {
	t.Helper()
	list := filesIn(t, dir)
	return list[len(list)-1]
}

// TestDamagedBackups are refused with the name of what is wrong, and change nothing.
func TestDamagedBackups(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		a := open(t)
		l := statetest.Lock(t, a)
		putTable(t, a, l, "one", 10, 5000)
		master := t.TempDir()
		backUp(t, a, backupAt(t, master))
		putTable(t, a, l, "two", 20)
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		object := filepath.Base(filesIn(t, filepath.Join(master, "objects"))[0])
		for name, c := range map[string]struct {
			damage func(dir string)
			says   string
		}{
			"flipped object": {func(dir string) { spoil(t, filepath.Join(dir, "objects", object)) }, object},
			"cut object": {func(dir string) {
				statetest.WriteFile(t, filepath.Join(dir, "objects", object), statetest.Random(100))
			}, object},
			"missing object": {func(dir string) { remove(t, filepath.Join(dir, "objects", object)) }, object},
			"flipped file":   {func(dir string) { spoil(t, stateFileIn(t, dir)) }, ".db"},
			"cut file": {func(dir string) {
				statetest.WriteFile(t, stateFileIn(t, dir), statetest.ReadFile(t, stateFileIn(t, dir))[:4096])
			}, ".db"},
			"missing file":     {func(dir string) { remove(t, stateFileIn(t, dir)) }, ".db"},
			"no manifest":      {func(dir string) { remove(t, filepath.Join(dir, manifestName)) }, "no backup"},
			"flipped manifest": {func(dir string) { spoil(t, filepath.Join(dir, manifestName)) }, manifestName},
			"cut manifest": {func(dir string) {
				statetest.WriteFile(t, filepath.Join(dir, manifestName), statetest.ReadFile(t, filepath.Join(dir, manifestName))[:200])
			}, manifestName},
			"another serial": {func(dir string) {
				path := filepath.Join(dir, manifestName)
				statetest.WriteFile(t, path, []byte(strings.Replace(string(statetest.ReadFile(t, path)), `"serial": 1`, `"serial": 3`, 1)))
			}, manifestName},
		} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(master)); err != nil {
					t.Fatal(err)
				}
				c.damage(dir)
				_, err := restore(t.Context(), open(t), backupAt(t, dir), 0)
				if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
					t.Fatalf("got %v", err)
				}
				if snap := checkTables(t, open(t), "one", "two"); snap.Serial != 2 {
					t.Errorf("the state is at commit %d", snap.Serial)
				}
			})
		}
	})
}

func stateFileIn(t *testing.T, dir string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "state", "*.db"))
	if err != nil || len(list) != 1 {
		t.Fatalf("there are %v, %v", list, err)
	}
	return list[0]
}

// TestBackupFailpoints: a backup that fails anywhere leaves the one before it, or is
// there, and the next one mends all.
func TestBackupFailpoints(t *testing.T) {
	for _, point := range []string{"backup.object", "backup.file", "backup.manifest", "backup.clean"} {
		t.Run(point, func(t *testing.T) {
			machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
				s := open(t)
				l := statetest.Lock(t, s)
				putTable(t, s, l, "one", 10, 5000)
				dir := t.TempDir()
				place := backupAt(t, dir)
				backUp(t, s, place)
				statetest.Update(t, l, func(tx *state.Tx) error { return tx.DeleteTable("one") })
				putTable(t, s, l, "two", 20, 6000)
				ctx := failing(t, point+"=error@1")
				if _, err := Make(ctx, s, place, true); !errors.Is(err, failpoint.ErrInjected) {
					t.Fatalf("got %v", err)
				}
				b, err := Open(t.Context(), place, "", state.Format{})
				if err != nil {
					t.Fatal(err)
				}
				if want := map[bool]uint64{true: 3, false: 1}[point == "backup.clean"]; b.Manifest.Serial != want {
					t.Errorf("the backup is of commit %d, want %d", b.Manifest.Serial, want)
				}
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				backUp(t, s, place)
				other := machines.NewLocal(t)
				mustRestore(t, other, place, 0)
				checkTables(t, other, "two")
				stateFileIn(t, dir)
				if got := filesIn(t, filepath.Join(dir, "objects")); len(got) != 1 {
					t.Errorf("there are the objects %v", got)
				}
			})
		})
	}
}

func failing(t *testing.T, spec string) context.Context {
	t.Helper()
	set, err := failpoint.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return failpoint.With(t.Context(), set)
}

// TestRestoreFailpoints: a restore that fails anywhere changed nothing or all, and the
// next one brings the backup.
func TestRestoreFailpoints(t *testing.T) {
	for _, spec := range []string{"restore.object=error@1", "restore.object=error@2", "object.write=error", "object.rename=error",
		"state.commit.before=error", "state.commit.after=error", "objects.mark=error", "checkpoint.before=error@1"} {
		for _, damaged := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, damaged %v", spec, damaged), func(t *testing.T) {
				machines.Each(t, inTest, func(t *testing.T, open machines.Machine) { testRestoreFails(t, open, spec, damaged) })
			})
		}
	}
}

func testRestoreFails(t *testing.T, open machines.Machine, spec string, damaged bool) {
	s := open(t)
	l := statetest.Lock(t, s)
	putTable(t, s, l, "one", 10, 5000)
	place := backupAt(t, t.TempDir())
	backUp(t, s, place)
	putTable(t, s, l, "two", 20, 6000)
	unlockWithoutCheckpoint(t, s, l)
	if damaged {
		if isFile(t, s) {
			statetest.WriteFile(t, s.Place(), statetest.ReadFile(t, s.Place())[:5000])
		} else {
			spoil(t, newestIn(t, filepath.Join(s.Place(), "log")))
		}
	}
	_, err := restore(failing(t, spec), open(t), place, 0)
	if err != nil && !errors.Is(err, failpoint.ErrInjected) && !strings.Contains(err.Error(), "run again") {
		t.Fatalf("got %v", err)
	}
	switch snap, lerr := open(t).Load(t.Context()); {
	case lerr != nil && damaged && errors.Is(lerr, state.ErrDamaged) && err != nil:
	case lerr != nil:
		t.Errorf("after %v the state cannot be read: %v", err, lerr)
	default:
		if names := len(snap.Tables); names != 1 && (names != 2 || err == nil) {
			t.Errorf("after %v there are %d tables", err, names)
		}
		if err := snap.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mustRestore(t, open(t), place, 0)
	checkTables(t, open(t), "one")
}

// TestBackupBesideWriter: whatever is written and collected meanwhile, a backup is of one
// moment and whole.
func TestBackupBesideWriter(t *testing.T) {
	machines.Each(t, inTest, func(t *testing.T, open machines.Machine) {
		s := open(t)
		l := statetest.Lock(t, s)
		putTable(t, s, l, "t", 5000)
		done := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- churn(ctx, s, l) }()
		dir := t.TempDir()
		for range 15 {
			backUp(t, open(t), backupAt(t, dir))
			b, err := Open(t.Context(), backupAt(t, dir), "", state.Format{})
			if err != nil {
				t.Fatal(err)
			}
			if ref := b.snap.Tables["t"].Index[0]; ref.Rows != int64(b.snap.Serial) && b.snap.Serial > 1 {
				t.Errorf("commit %d has the object of %d", b.snap.Serial, ref.Rows)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// churn replaces the object of a table again and again, and collects.
func churn(ctx context.Context, s *state.Store, l *state.Lock) error {
	for i := 0; ctx.Err() == nil; i++ {
		w := s.NewObject(context.Background())
		if _, err := w.Write(statetest.Random(5000 + i)); err != nil {
			return err
		}
		o, err := w.Close(context.Background())
		if err != nil {
			return err
		}
		err = l.Update(context.Background(), func(tx *state.Tx) error {
			tb := statetest.Table("t", tx.Serial())
			o.Ref.Rows = int64(tx.Serial())
			tb.Index = []state.Ref{o.Ref}
			return errors.Join(tx.PutTable(tb), tx.PutObject(o))
		})
		if err != nil {
			return err
		}
		if _, err := l.Collect(context.Background(), func(id string) bool { return id == o.Ref.ID() }); err != nil {
			return err
		}
	}
	return nil
}
