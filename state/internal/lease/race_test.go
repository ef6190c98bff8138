package lease

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"reconcile/internal/blob"
)

const (
	acquirers = 10
	rounds    = 200
)

// TestTenAcquirers lets ten processes race for a lease that was released, has
// expired or was forced: one of them gets it.
func TestTenAcquirers(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, precision time.Duration, open func() blob.Store) {
		w := newWorld(true, precision)
		var all []Options
		for i := range acquirers {
			all = append(all, w.options(w.store(open()), fmt.Sprint("host", i)))
		}
		h := take(t, all[0])
		for round := range rounds {
			owes := end(t, w, round%3, h, all[0].Store)
			next := race(t, all)
			if h.Valid() || !next.Valid() || next.Generation() <= h.Generation() || next.OwesFence() != owes {
				t.Fatalf("round %d: old valid %v, generation %d; new valid %v, generation %d, owes %v, want %v",
					round, h.Valid(), h.Generation(), next.Valid(), next.Generation(), next.OwesFence(), owes)
			}
			release(t, h) // which was lost or released
			h = next
			h.Fenced()
		}
		release(t, h)
		for body, n := range w.bodies {
			if n > 1 {
				t.Errorf("sent %d times: %s", n, body)
			}
		}
	})
}

// end lets a lease end in one of three ways, and returns whether the next holder
// owes a fence.
func end(t *testing.T, w *world, how int, h *Held, s blob.Store) bool {
	t.Helper()
	switch how {
	case 0:
		release(t, h)
		return false
	case 1:
		if err := Force(t.Context(), s, key, h.ID()); err != nil {
			t.Fatal(err)
		}
	}
	h.stop() // its process stands still
	<-h.stopped
	w.pass(DefaultTTL + DefaultMargin + 2*time.Second)
	return true
}

// race returns the only winner.
func race(t *testing.T, all []Options) *Held {
	t.Helper()
	var mu sync.Mutex
	var won []*Held
	var wg sync.WaitGroup
	for _, o := range all {
		wg.Go(func() {
			h, err := Acquire(t.Context(), o, 0)
			var held *HeldError
			if err != nil && !errors.As(err, &held) {
				t.Error(err)
			}
			if h != nil {
				mu.Lock()
				won = append(won, h)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d won", len(won))
	}
	return won[0]
}
