package remote

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// suspended is a store that lets the machine stand still in the first listing, for longer
// than a lease lasts, and a clock that shows it.
type suspended struct {
	blob.Store
	start time.Time
	slept atomic.Bool
}

func (s *suspended) Now() Instant {
	now := time.Now()
	i := Instant{Mono: now.Sub(s.start), Wall: now.Round(0)}
	if s.slept.Load() {
		i.Wall = i.Wall.Add(time.Hour)
	}
	return i
}

func (s *suspended) After(time.Duration) <-chan time.Time { return time.After(time.Millisecond) }

func (s *suspended) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	if !s.slept.Swap(true) {
		<-ctx.Done()
	}
	return s.Store.List(ctx, prefix)
}

// TestLeaseLostWhileLocking: who loses the lease before he has loaded the state is told
// so, not that a request was cancelled.
func TestLeaseLostWhileLocking(t *testing.T) {
	store, err := blob.NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := statetest.Lock(t, Open(store, Options{})).Unlock(); err != nil { // so that there is a lease
		t.Fatal(err)
	}
	s := &suspended{Store: store, start: time.Now()}
	_, err = Open(s, Options{Clock: s}).Lock(statetest.Within(t, 10*time.Second), state.NewHolder("apply"), 0)
	if !errors.Is(err, state.ErrLost) {
		t.Errorf("got %v", err)
	}
}
