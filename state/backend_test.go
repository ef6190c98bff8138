package state_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
)

// TestBackendsAgainstModel: random transactions give what a map gives, read by the same
// machine and by a new one, with holders that change.
func TestBackendsAgainstModel(t *testing.T) {
	machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
		r := rand.New(rand.NewPCG(1, 3))
		model := statetest.EmptyModel()
		s := open(t)
		l := statetest.Lock(t, s)
		for i := range 150 {
			statetest.Update(t, l, func(tx *state.Tx) error {
				var errs []error
				for range 1 + r.IntN(30) {
					errs = append(errs, statetest.RandomOp(tx, r, model))
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
				l = statetest.Lock(t, s)
			}
			if d := statetest.Diff(model, statetest.Load(t, s)); d != "" {
				t.Fatalf("transaction %d, same machine: %s", i, d)
			}
			if d := statetest.Diff(model, statetest.Load(t, open(t))); d != "" {
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
			machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
				s := open(t)
				l := statetest.Lock(t, s)
				statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutTable(statetest.Table("old", 1)) })
				set, err := failpoint.Parse(spec)
				if err != nil {
					t.Fatal(err)
				}
				err = l.Update(failpoint.With(t.Context(), set), func(tx *state.Tx) error { return tx.PutTable(statetest.Table("new", 1)) })
				if !errors.Is(err, failpoint.ErrInjected) && !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("got %v", err)
				}
				if statetest.Load(t, open(t)).Tables["new"] != nil != committed {
					t.Errorf("there: %v, want %v", !committed, committed)
				}
				statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutTable(statetest.Table("next", 1)) })
				if statetest.Load(t, open(t)).Tables["next"] == nil {
					t.Error("the next transaction was lost")
				}
			})
		})
	}
}

// TestBackendObjects: objects of all sizes are read back, by a new machine, too, and
// those that nothing names go when they may.
func TestBackendObjects(t *testing.T) {
	machines.Each(t, 100, func(t *testing.T, open machines.Machine) {
		s := open(t)
		l := statetest.Lock(t, s)
		var refs []state.Ref
		var all []*state.Sealed
		for _, n := range []int{0, 1, 99, 100, 101, 5000, 3 << 20} {
			o := statetest.Write(t, s, statetest.Random(n), 3)
			all, refs = append(all, o), append(refs, o.Ref)
		}
		statetest.Update(t, l, func(tx *state.Tx) error {
			var errs []error
			for _, o := range all {
				errs = append(errs, tx.PutObject(o))
			}
			tb := statetest.Table("t", 1)
			tb.Index = refs
			return errors.Join(append(errs, tx.PutTable(tb))...)
		})
		check := func(s *state.Store) {
			t.Helper()
			statetest.Load(t, s)
			for _, ref := range refs {
				statetest.CheckContent(t, s, ref, statetest.Random(int(ref.Size)))
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
		statetest.Update(t, l, func(tx *state.Tx) error {
			tx.CollectInline(snap.InlineBut(keep))
			tb := statetest.Table("t", 1)
			tb.Index = []state.Ref{refs[3], refs[6]}
			return tx.PutTable(tb)
		})
		refs = []state.Ref{refs[3], refs[6]}
		if err := l.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(s)
		check(open(t))
	})
}

// TestBackendLock: one holder at a time, who is named.
func TestBackendLock(t *testing.T) {
	machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
		a, b := open(t), open(t)
		l := statetest.Lock(t, a)
		_, err := b.Lock(t.Context(), state.NewHolder("apply"), 0)
		if !errors.Is(err, state.ErrLocked) {
			t.Fatalf("a second holder: %v", err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		m, err := b.Lock(t.Context(), state.NewHolder("apply"), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Unlock(), m.Unlock()); err != nil {
			t.Fatal(err)
		}
		if err := l.Update(t.Context(), func(tx *state.Tx) error { return tx.PutTable(statetest.Table("t", 1)) }); err == nil {
			t.Error("a transaction without the lock")
		}
	})
}

// TestBackendLargeTransaction: what exceeds a record of the log is no limit.
func TestBackendLargeTransaction(t *testing.T) {
	machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
		s := open(t)
		l := statetest.Lock(t, s)
		big := bytes.Repeat([]byte{1, 2, 3}, 1<<20)
		statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutSetting("big", big) })
		if got := statetest.Load(t, open(t)).Settings["big"]; !bytes.Equal(got, big) {
			t.Errorf("%d bytes came back", len(got))
		}
	})
}
