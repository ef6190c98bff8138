package state

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
)

// A machine opens a state. Each call is another machine: it knows nothing of what an
// earlier one kept for itself.
type machine func(t testing.TB) *Store

// eachBackend runs a test for a state in a file and for one in an object store. What
// object stores differ in, tests of package blob see to.
func eachBackend(t *testing.T, inline int, test func(t *testing.T, open machine)) {
	t.Run("local", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), ".reconcile", "state.db")
		test(t, func(testing.TB) *Store { return Open(path, Options{Program: "0.1.0", InlineLimit: inline}) })
	})
	t.Run("remote", func(t *testing.T) {
		test(t, remoteMachine(t, RemoteOptions{Program: "0.1.0", InlineLimit: inline}))
	})
}

// remoteMachine makes machines for one state in a folder that stands for a bucket.
func remoteMachine(t testing.TB, o RemoteOptions) machine {
	dir := t.TempDir()
	return func(t testing.TB) *Store {
		t.Helper()
		store, err := blob.NewLocal(dir)
		if err != nil {
			t.Fatal(err)
		}
		o.Cache = t.TempDir()
		return OpenRemote(store, o)
	}
}

func emptyModel() *Snapshot {
	return &Snapshot{Program: "0.1.0", Tables: map[string]*Table{}, Partitions: map[string][]*Partition{},
		Dumps: map[int64]*Dump{}, Settings: map[string][]byte{}}
}

// TestBackendsAgainstModel: random transactions give what a map gives, read by the same
// machine and by a new one, with holders that change.
func TestBackendsAgainstModel(t *testing.T) {
	eachBackend(t, 0, func(t *testing.T, open machine) {
		r := rand.New(rand.NewPCG(1, 3))
		model := emptyModel()
		s := open(t)
		l := lock(t, s)
		for i := range 150 {
			update(t, l, func(tx *Tx) error {
				var errs []error
				for range 1 + r.IntN(30) {
					errs = append(errs, randomOp(tx, r, model))
				}
				errs = append(errs, tx.PutSetting("step", []byte{byte(i)}))
				model.Settings["step"] = []byte{byte(i)}
				model.Serial, model.Lineage = tx.Serial(), tx.Lineage()
				return errors.Join(errs...)
			})
			switch r.IntN(8) {
			case 0:
				if err := l.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 1:
				if err := l.Unlock(); err != nil {
					t.Fatal(err)
				}
				s = open(t)
				l = lock(t, s)
			}
			if d := diff(model, load(t, s)); d != "" {
				t.Fatalf("transaction %d, same machine: %s", i, d)
			}
			if d := diff(model, load(t, open(t))); d != "" {
				t.Fatalf("transaction %d, new machine: %s", i, d)
			}
		}
	})
}

// TestBackendFailpoints: a transaction is there whole or not at all.
func TestBackendFailpoints(t *testing.T) {
	for spec, committed := range map[string]bool{
		"state.commit.before=error": false, "state.commit.before=enospc": false,
		"state.commit.after=error": true, "state.commit.after=enospc": true,
	} {
		t.Run(spec, func(t *testing.T) {
			eachBackend(t, 0, func(t *testing.T, open machine) {
				s := open(t)
				l := lock(t, s)
				update(t, l, func(tx *Tx) error { return tx.PutTable(table("old", 1)) })
				set, err := failpoint.Parse(spec)
				if err != nil {
					t.Fatal(err)
				}
				err = l.Update(failpoint.With(t.Context(), set), func(tx *Tx) error { return tx.PutTable(table("new", 1)) })
				if !errors.Is(err, failpoint.ErrInjected) && !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("got %v", err)
				}
				if load(t, open(t)).Tables["new"] != nil != committed {
					t.Errorf("there: %v, want %v", !committed, committed)
				}
				update(t, l, func(tx *Tx) error { return tx.PutTable(table("next", 1)) })
				if load(t, open(t)).Tables["next"] == nil {
					t.Error("the next transaction was lost")
				}
			})
		})
	}
}

// TestBackendObjects: objects of all sizes are read back, by a new machine, too, and
// those that nothing names go when they may.
func TestBackendObjects(t *testing.T) {
	eachBackend(t, 100, func(t *testing.T, open machine) {
		s := open(t)
		l := lock(t, s)
		var refs []Ref
		var all []*Sealed
		for _, n := range []int{0, 1, 99, 100, 101, 5000, 3 << 20} {
			o := write(t, s, random(n), 3)
			all, refs = append(all, o), append(refs, o.Ref)
		}
		update(t, l, func(tx *Tx) error {
			var errs []error
			for _, o := range all {
				errs = append(errs, tx.PutObject(o))
			}
			tb := table("t", 1)
			tb.Index = refs
			return errors.Join(append(errs, tx.PutTable(tb))...)
		})
		check := func(s *Store) {
			t.Helper()
			load(t, s)
			for _, ref := range refs {
				checkContent(t, s, ref, random(int(ref.Size)))
			}
		}
		check(s)
		keep := func(id string) bool { return id == refs[3].ID() || id == refs[6].ID() }
		if _, err := l.Collect(t.Context(), func(id string) bool { return true }); err != nil {
			t.Fatal(err)
		}
		check(open(t))
		snap, err := l.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		update(t, l, func(tx *Tx) error {
			tx.CollectInline(snap, keep)
			tb := table("t", 1)
			tb.Index = []Ref{refs[3], refs[6]}
			return tx.PutTable(tb)
		})
		refs = []Ref{refs[3], refs[6]}
		if err := l.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(s)
		check(open(t))
	})
}

// TestBackendLock: one holder at a time, who is named.
func TestBackendLock(t *testing.T) {
	eachBackend(t, 0, func(t *testing.T, open machine) {
		a, b := open(t), open(t)
		l := lock(t, a)
		_, err := b.Lock(t.Context(), NewHolder("apply"), 0)
		if !errors.Is(err, ErrLocked) {
			t.Fatalf("a second holder: %v", err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		m, err := b.Lock(t.Context(), NewHolder("apply"), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Unlock(), m.Unlock()); err != nil {
			t.Fatal(err)
		}
		if err := l.Update(t.Context(), func(tx *Tx) error { return tx.PutTable(table("t", 1)) }); err == nil {
			t.Error("a transaction without the lock")
		}
	})
}

// TestBackendLargeTransaction: what exceeds a record of the log is no limit.
func TestBackendLargeTransaction(t *testing.T) {
	eachBackend(t, 0, func(t *testing.T, open machine) {
		s := open(t)
		l := lock(t, s)
		big := bytes.Repeat([]byte{1, 2, 3}, 1<<20)
		update(t, l, func(tx *Tx) error { return tx.PutSetting("big", big) })
		if got := load(t, open(t)).Settings["big"]; !bytes.Equal(got, big) {
			t.Errorf("%d bytes came back", len(got))
		}
	})
}

// TestOldLeasePutBack: a lease of before that somebody puts back stops nobody, and the
// generations of records never fall.
func TestOldLeasePutBack(t *testing.T) {
	dir := t.TempDir()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *Store { return OpenRemote(store, RemoteOptions{Program: "0.1.0", Cache: t.TempDir()}) }
	step := func(name string) uint64 {
		t.Helper()
		l, err := open().Lock(t.Context(), NewHolder("apply"), 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		update(t, l, func(tx *Tx) error { return tx.PutSetting(name, []byte(name)) })
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		return l.Generation()
	}
	step("a")
	lease := filepath.Join(dir, leaseKey)
	old := readFile(t, lease)
	var newest uint64
	for _, name := range []string{"b", "c", "d"} {
		newest = step(name)
	}
	if err := os.Remove(lease); err != nil {
		t.Fatal(err)
	}
	writeFile(t, lease, old)
	broken, err := failpoint.Parse("record.before=error")
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenRemote(store, RemoteOptions{Program: "0.1.0", TTL: 300 * time.Millisecond, Margin: time.Millisecond}).
		Lock(failpoint.With(t.Context(), broken), NewHolder("apply"), 0)
	if err == nil {
		t.Fatal("there is no fence, and the lock was given: ", l.Unlock())
	}
	if strings.Contains(string(readFile(t, lease)), `"released"`) {
		t.Error("the lease was released before its fence stood")
	}
	if got := step("e"); got <= newest {
		t.Errorf("generation %d after %d", got, newest)
	}
	if got := step("f"); got <= newest {
		t.Errorf("generation %d after %d", got, newest)
	}
	if snap := load(t, open()); len(snap.Settings) != 6 {
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
	open := func() *Store { return OpenRemote(store, RemoteOptions{Program: "0.1.0"}) }
	l := lock(t, open())
	if err := l.Lost(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, leaseKey)); err != nil {
		t.Fatal(err)
	}
	lock(t, open())
	if err := l.Lost(); !errors.Is(err, ErrLost) {
		t.Errorf("got %v", err)
	}
}
