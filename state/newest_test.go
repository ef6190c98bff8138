package state_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/statetest"
	"reconcile/state/internal/statetest/machines"
)

// TestNewestFollowsTransactions: what a lock knows of the state after random transactions is
// what a new machine reads, also where one failed before or behind its commit.
func TestNewestFollowsTransactions(t *testing.T) {
	machines.Each(t, 100, func(t *testing.T, open machines.Machine) {
		r := rand.New(rand.NewPCG(7, 3))
		s := open(t)
		l := statetest.Lock(t, s)
		for i := range 200 {
			ctx := t.Context()
			if r.IntN(10) == 0 {
				set, err := failpoint.Parse([]string{"state.commit.before=error", "state.commit.after=error"}[r.IntN(2)])
				if err != nil {
					t.Fatal(err)
				}
				ctx = failpoint.With(ctx, set)
			}
			var unnamed [][]byte
			if r.IntN(3) == 0 {
				var err error
				if unnamed, err = l.Unnamed(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			change := func(tx *state.Tx) error {
				tx.CollectInline(unnamed)
				errs := []error{tx.PutSetting("step", []byte{byte(i)})}
				for range 1 + r.IntN(6) {
					errs = append(errs, statetest.RandomOp(tx, r, statetest.EmptyModel()), randomLists(tx, r), randomObject(t, s, tx, r))
				}
				return errors.Join(errs...)
			}
			if err := l.Update(ctx, change); err != nil && !errors.Is(err, failpoint.ErrInjected) {
				t.Fatal(err)
			}
			checkNewest(t, l, statetest.Load(t, open(t)))
			if t.Failed() {
				t.Fatalf("after transaction %d", i)
			}
		}
	})
}

// randomLists puts or deletes a publish list or a hold.
func randomLists(tx *state.Tx, r *rand.Rand) error {
	name := string(rune('a' + r.IntN(5)))
	hold := state.Hold{Table: name, Dump: r.Int64N(3), Reason: fmt.Sprint(r.Uint64()), Object: []string{"", "x"}[r.IntN(2)], Guard: []string{"", "g"}[r.IntN(2)]}
	switch r.IntN(4) {
	case 0:
		return tx.PutPublish(&state.Publish{Table: name, Commit: r.Uint64(), Attempt: fmt.Sprint(r.Uint64()), Steps: []state.Step{{Sink: "/lake", Path: "p"}}})
	case 1:
		return tx.DeletePublish(name)
	case 2:
		return tx.PutHold(hold)
	}
	return tx.DeleteHold(hold)
}

// randomObject puts one of a few small objects, and names it or not.
func randomObject(t *testing.T, s *state.Store, tx *state.Tx, r *rand.Rand) error {
	o := statetest.Write(t, s, []byte{byte(r.IntN(12))}, 1)
	errs := []error{tx.PutObject(o)}
	name := string(rune('a' + r.IntN(5)))
	switch r.IntN(6) {
	case 0:
		errs = append(errs, tx.SetManifests(o.Ref))
	case 1:
		errs = append(errs, tx.SetMapping(&state.Mapping{Ref: o.Ref, Quarantine: o.Ref}))
	case 2:
		table := statetest.Table(name, r.Uint64N(100))
		table.Users, table.UserRuns, table.Mapping = o.Ref, []state.Ref{o.Ref}, o.Ref
		table.Quarantine = []state.DumpRef{{Dump: 1, Ref: o.Ref}}
		errs = append(errs, tx.PutTable(table))
	case 3:
		p := statetest.Partition(uint32(r.IntN(40)), 1)
		p.Shadow = o.Ref
		errs = append(errs, tx.PutPartition(name, p))
	}
	return errors.Join(errs...)
}

// checkNewest compares what a lock knows with what was read.
func checkNewest(t *testing.T, l *state.Lock, want *state.Snapshot) {
	t.Helper()
	ctx := context.Background()
	var attempts []string
	for _, p := range want.Publishes {
		attempts = append(attempts, p.Attempt)
	}
	if got, err := l.Attempts(ctx); err != nil || !slices.Equal(got, attempts) {
		t.Errorf("attempts: %q, %v, want %q", got, err, attempts)
	}
	named, unnamed := map[string]bool{}, []string{}
	for ref := range want.Refs() {
		named[ref.ID()] = true
	}
	for digest := range want.Inline() {
		if !named[digest] {
			unnamed = append(unnamed, digest)
		}
	}
	got, err := l.Unnamed(ctx)
	texts := []string{}
	for _, sum := range got {
		texts = append(texts, hex.EncodeToString(sum))
	}
	slices.Sort(unnamed)
	if err != nil || !slices.Equal(texts, unnamed) {
		t.Errorf("unnamed: %q, %v, want %q", texts, err, unnamed)
	}
	for _, names := range [][]string{{"a"}, {"b", "e"}, {"nothing"}} {
		snap, err := l.LoadTables(ctx, names...)
		if err != nil {
			t.Fatal(err)
		}
		if d := statetest.Diff(onlyTables(want, names), snap); d != "" {
			t.Errorf("tables %q: %s", names, d)
		}
	}
}

// onlyTables is what LoadTables has to return of a state.
func onlyTables(s *state.Snapshot, names []string) *state.Snapshot {
	out := statetest.EmptyModel()
	out.Lineage, out.Serial, out.Program = s.Lineage, s.Serial, s.Program
	for _, name := range names {
		if t := s.Tables[name]; t != nil {
			out.Tables[name] = t
		}
		if parts := s.Partitions[name]; parts != nil {
			out.Partitions[name] = parts
		}
	}
	for _, p := range s.Publishes {
		if slices.Contains(names, p.Table) {
			out.Publishes = append(out.Publishes, p)
		}
	}
	for _, h := range s.Holds {
		if slices.Contains(names, h.Table) {
			out.Holds = append(out.Holds, h)
		}
	}
	return out
}

// TestLoadTablesIsTheCallers: what Fork copies can be changed without a trace.
func TestLoadTablesIsTheCallers(t *testing.T) {
	machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
		s := open(t)
		l := statetest.Lock(t, s)
		statetest.Fill(t, s, l)
		for range 2 {
			snap, err := l.LoadTables(t.Context(), "sessions")
			if err != nil {
				t.Fatal(err)
			}
			if d := statetest.Diff(onlyTables(statetest.Load(t, s), []string{"sessions"}), snap); d != "" {
				t.Error(d)
			}
			snap.Tables["sessions"].Commit++
			snap.Partitions["sessions"][0].Files[0].Path = "another"
			snap.Publishes[0].Steps[0].Sink = "another"
			delete(snap.Tables, "sessions")
		}
	})
}

// TestNewestIsLoadedOnce: a transaction is followed without reading the state again.
func TestNewestIsLoadedOnce(t *testing.T) {
	machines.Each(t, 0, func(t *testing.T, open machines.Machine) {
		s := open(t)
		backend := &countingBackend{Backend: s.Backend}
		s.Backend = backend
		l := statetest.Lock(t, s)
		for i := range 50 {
			statetest.Update(t, l, func(tx *state.Tx) error { return tx.PutTable(statetest.Table(fmt.Sprint(i), tx.Serial())) })
			checkNewest(t, l, statetest.Load(t, open(t)))
		}
		if n := backend.loads.Load(); n != 1 {
			t.Errorf("the state was loaded %d times", n)
		}
	})
}

// countingBackend counts how often the content of a state is read by the holders of its lock.
type countingBackend struct {
	state.Backend
	loads atomic.Int64
}

// Lock is that of the Backend.
func (b *countingBackend) Lock(ctx context.Context, holder state.Holder, wait time.Duration) (state.Session, error) {
	s, err := b.Backend.Lock(ctx, holder, wait)
	if err != nil {
		return nil, err
	}
	return &countingSession{s, b}, nil
}

type countingSession struct {
	state.Session
	of *countingBackend
}

// Load counts.
func (s *countingSession) Load(ctx context.Context) (*state.Snapshot, error) {
	s.of.loads.Add(1)
	return s.Session.Load(ctx)
}
