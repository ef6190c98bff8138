package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
	"reconcile/state/local"
	"reconcile/state/remote"
)

// places makes two places of given kinds; each call of what it returns is another machine.
func places(t *testing.T, kinds string) (from, to machines.Machine) {
	one := func(kind byte) machines.Machine {
		if kind == 'r' {
			return machines.Remote(t, remote.Options{Program: "0.1.0", InlineLimit: 100})
		}
		path := filepath.Join(t.TempDir(), "state.db")
		return func(testing.TB) *state.Store {
			return local.Open(path, local.Options{Program: "0.1.0", InlineLimit: 200})
		}
	}
	return one(kinds[0]), one(kinds[1])
}

// move moves a state under both locks.
func move(t *testing.T, ctx context.Context, from, to *state.Store) (*state.Migrated, error) {
	t.Helper()
	a, b, err := state.LockBoth(ctx, from, to, state.NewHolder("init"), 0)
	if err != nil {
		return nil, err
	}
	m, err := state.Migrate(ctx, state.Side{from, a}, state.Side{to, b})
	return m, errors.Join(err, b.Unlock(), a.Unlock())
}

// fillObjects adds tables with objects of all sizes to a state.
func fillObjects(t *testing.T, open machines.Machine) {
	t.Helper()
	s := open(t)
	l, err := s.Lock(t.Context(), state.NewHolder("apply"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for n, size := range []int{0, 50, 150, 5000, 1 << 20} {
		w := s.NewObject(t.Context())
		if _, err := w.Write(bytes.Repeat([]byte{byte(n)}, size)); err != nil {
			t.Fatal(err)
		}
		o, err := w.Close(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o.Ref.Rows = int64(n)
		statetest.Update(t, l, func(tx *state.Tx) error {
			name := fmt.Sprint("t", n)
			tab := statetest.Table(name, tx.Serial())
			tab.Index, tab.Mapping = []state.Ref{o.Ref}, o.Ref
			return errors.Join(tx.PutObject(o), tx.PutTable(tab), tx.PutPartition(name, &state.Partition{Ordinal: 1, Shadow: o.Ref}),
				tx.PutSetting("note", []byte(name)), tx.SetLost(name, &state.LostCommit{Why: "x"}),
				tx.SetForgotten(name), tx.SetAccepted(state.Delivery{name, 1}, "d"), tx.SetJudgedMask("m", true), tx.SetRemovedTable(name, true), tx.SetPlainLeft(true),
				tx.PutDump(&state.Dump{ID: int64(n)}), tx.PutPublish(&state.Publish{Table: name, Commit: tx.Serial(), Attempt: "a"}))
		})
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// wantMoved wants the content of a state at its new place, whole, and the old one closed.
func wantMoved(t *testing.T, want *state.Snapshot, from, to machines.Machine) {
	t.Helper()
	s := to(t)
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	for ref := range got.Refs() {
		o, err := s.OpenObject(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(o.Verify(t.Context()), o.Close()); err != nil {
			t.Error(err)
		}
	}
	if got.Serial <= want.Serial {
		t.Errorf("the serial is %d, it was %d", got.Serial, want.Serial)
	}
	for _, x := range []*state.Snapshot{want, got} {
		x.EachRef(func(r *state.Ref) { r.Name = "" })
	}
	serial := want.Serial
	want.Serial = got.Serial
	if d := statetest.Diff(want, got); d != "" {
		t.Error(d)
	}
	want.Serial = serial
	var moved *state.MovedError
	if _, err := from(t).Load(t.Context()); !errors.As(err, &moved) || moved.To != s.Place() {
		t.Errorf("the old place: %v", err)
	}
}

// open reports whether a place holds a state that can be used.
func isOpen(t *testing.T, s *state.Store) bool {
	t.Helper()
	snap, err := s.Load(t.Context())
	var moved *state.MovedError
	if err != nil && !errors.As(err, &moved) {
		t.Fatal(err)
	}
	return err == nil && snap.Serial > 0 && snap.Close() == nil
}

// TestMigrate moves a state between all kinds of places and back, stopped at each step.
func TestMigrate(t *testing.T) {
	for _, kinds := range []string{"lr", "rl", "rr", "ll"} {
		for _, spec := range []string{"", "state.commit.before=error@1", "state.commit.after=error@1", "state.commit.before=error@2", "state.commit.after=error@2",
			"state.commit.before=error@3", "state.commit.after=error@3", "lock.acquired=error@2", "objects.mark=error@1", "object.write=error@2"} {
			t.Run(kinds+" "+spec, func(t *testing.T) {
				from, to := places(t, kinds)
				fillObjects(t, from)
				want := statetest.Load(t, from(t))
				set, err := failpoint.Parse(spec)
				if err != nil {
					t.Fatal(err)
				}
				_, err = move(t, failpoint.With(t.Context(), set), from(t), to(t))
				if spec == "" && err != nil {
					t.Fatal(err)
				}
				if isOpen(t, from(t)) && isOpen(t, to(t)) {
					t.Error("both are open")
				}
				if _, err := move(t, t.Context(), from(t), to(t)); err != nil {
					t.Fatal(err)
				}
				wantMoved(t, want, from, to)
				if m, err := move(t, t.Context(), from(t), to(t)); err != nil || !m.Done {
					t.Errorf("once more: %+v, %v", m, err)
				}
				want = statetest.Load(t, to(t))
				if _, err := move(t, t.Context(), to(t), from(t)); err != nil {
					t.Fatal(err)
				}
				wantMoved(t, want, to, from)
			})
		}
	}
}

// TestMigrateBesideReader: one who has read the old place before, and kept what he read,
// is told too.
func TestMigrateBesideReader(t *testing.T) {
	for _, kinds := range []string{"lr", "rl"} {
		t.Run(kinds, func(t *testing.T) {
			from, to := places(t, kinds)
			fillObjects(t, from)
			reader := from(t)
			statetest.Load(t, reader)
			l := statetest.Lock(t, reader)
			if _, err := move(t, t.Context(), from(t), to(t)); !errors.Is(err, state.ErrLocked) {
				t.Fatalf("beside an apply: %v", err)
			}
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
			if _, err := move(t, t.Context(), from(t), to(t)); err != nil {
				t.Fatal(err)
			}
			var moved *state.MovedError
			if _, err := reader.Load(t.Context()); !errors.As(err, &moved) {
				t.Errorf("a reader: %v", err)
			}
			if _, err := statetest.Lock(t, reader).Load(t.Context()); !errors.As(err, &moved) {
				t.Errorf("the holder of the lock: %v", err)
			}
		})
	}
}

// TestMigrateRefused: nothing changes where another state, or an open one, stands.
func TestMigrateRefused(t *testing.T) {
	for _, kinds := range []string{"lr", "rl"} {
		t.Run(kinds, func(t *testing.T) {
			from, to := places(t, kinds)
			if _, err := move(t, t.Context(), from(t), to(t)); err == nil || isOpen(t, to(t)) {
				t.Errorf("nothing was moved: %v", err)
			}
			fillObjects(t, from)
			fillObjects(t, to)
			var other *state.LineageError
			if _, err := move(t, t.Context(), from(t), to(t)); !errors.As(err, &other) || !isOpen(t, from(t)) || !isOpen(t, to(t)) {
				t.Errorf("over another state: %v", err)
			}
		})
	}
}

// TestMigrateGeneration: generations go on above those of the old place, also by way of a
// file.
func TestMigrateGeneration(t *testing.T) {
	first, file := places(t, "rl")
	second, _ := places(t, "rl")
	for range 3 {
		l, err := first(t).Lock(t.Context(), state.NewHolder("apply"), 0)
		if err != nil || l.Unlock() != nil {
			t.Fatal(err)
		}
	}
	fillObjects(t, first)
	generation := func(open machines.Machine) uint64 {
		t.Helper()
		l, err := open(t).Lock(t.Context(), state.NewHolder("apply"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Unlock()
		return l.Generation()
	}
	was := generation(first)
	if _, err := move(t, t.Context(), first(t), file(t)); err != nil {
		t.Fatal(err)
	}
	between := generation(file)
	if _, err := move(t, t.Context(), file(t), second(t)); err != nil {
		t.Fatal(err)
	}
	if now := generation(second); between <= was || now <= between {
		t.Errorf("generations %d, %d, %d", was, between, now)
	}
}
