package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
)

const (
	third  = DefaultTTL/3 + time.Second
	expiry = DefaultTTL + DefaultMargin + time.Second
)

// life is all that a holder does. It returns the lease, which may be lost or
// released, or why it was not acquired.
func life(ctx context.Context, o Options, w *world) (*Held, error) {
	h, err := Acquire(ctx, o, 0)
	if err != nil {
		return nil, err
	}
	for range 2 {
		w.pass(third)
		h.turn(ctx)
	}
	if err = h.Check(ctx); err == nil {
		err = h.Release(ctx)
	}
	return h, err
}

// TestPausedHolder pauses a holder before and after each request until somebody
// else has its lease. When it goes on it knows, and the other one's lease is as
// it was.
func TestPausedHolder(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, precision time.Duration, open func() blob.Store) {
		for n := 1; ; n++ {
			w := newWorld(false, precision)
			mine := w.store(open())
			var other *Held
			steps, where := 0, ""
			mine.at = func(step string) {
				if steps++; steps == n {
					where = step
					w.pass(expiry)
					other = take(t, w.options(w.store(open()), "other"))
				}
			}
			o := w.options(mine, "mine")
			h, err := life(t.Context(), o, w)
			if steps < n {
				if n < 12 {
					t.Errorf("a life has only %d steps", steps)
				}
				return
			}
			judgePaused(t, fmt.Sprintf("step %d, %s", n, where), h, err, other)
			wantHeld(t, w.options(w.store(open()), "third"), other)
			other.Fenced()
			release(t, other)
			if h != nil {
				release(t, h)
			}
		}
	})
}

func judgePaused(t *testing.T, where string, h *Held, err error, other *Held) {
	t.Helper()
	if !other.Valid() {
		t.Errorf("%s: the other holder lost it", where)
	}
	var held *HeldError
	var lost *LostError
	switch {
	case h == nil: // paused before it had it
		if !errors.As(err, &held) || held.Status.ID != other.ID() {
			t.Errorf("%s: got %v, want that the other one holds it", where, err)
		}
	case h.Valid():
		t.Errorf("%s: it believes to hold the lease", where)
	case err == nil: // the other one came while or after it was released
		if h.generation >= other.generation {
			t.Errorf("%s: generation %d after %d", where, other.generation, h.generation)
		}
	case !errors.As(err, &lost) || lost.By == nil || lost.By.ID != other.ID() || !strings.Contains(err.Error(), "other"):
		t.Errorf("%s: got %v, want that it is lost to the other one", where, err)
	}
}

// TestReleaseIsTheEnd takes the lease in the moment in which it is released.
func TestReleaseIsTheEnd(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	mine := w.store(store)
	h := take(t, w.options(mine, "mine"))
	var other *Held
	mine.at = func(step string) {
		if h.Valid() || h.Context().Err() == nil {
			t.Errorf("%s: it is valid", step)
		}
		if step == "after writing" {
			other = take(t, w.options(w.store(store), "other"))
		}
	}
	release(t, h)
	if other == nil || !other.Valid() {
		t.Error("the other one did not get it")
	}
}

// TestSlowAnswers counts from when a request was sent, not from its answer.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	mine := w.store(store)
	slow := 20 * time.Second
	mine.at = func(step string) {
		if step == "after writing" {
			w.pass(slow)
		}
	}
	h := take(t, w.options(mine, "mine"))
	want := func(left time.Duration) {
		t.Helper()
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.left() != left {
			t.Errorf("%s are left, want %s", h.left(), left)
		}
	}
	want(40 * time.Second)
	h.turn(t.Context())
	want(40 * time.Second)
	slow = 0
	h.turn(t.Context())
	want(60 * time.Second)
	slow = 61 * time.Second
	w.pass(third)
	h.turn(t.Context())
	want(0)
}

// TestTooSlowAnswer is about an acquisition that was answered when the lease had
// expired: it is written again.
func TestTooSlowAnswer(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	mine := w.store(store)
	slow := DefaultTTL
	mine.at = func(step string) {
		if step == "after writing" {
			w.pass(slow)
			slow = 0
		}
	}
	h := take(t, w.options(mine, "mine"))
	if f := read(t, w.store(store)); !h.Valid() || h.Generation() != 1 || h.OwesFence() || f.Counter != 2 {
		t.Errorf("valid %v, generation %d, owes %v: %+v", h.Valid(), h.Generation(), h.OwesFence(), f.content)
	}
}

// TestSuspended is about clocks that do not agree.
func TestSuspended(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		mono, wall time.Duration
		valid      bool
	}{
		{"awake", DefaultTTL - 1, DefaultTTL - 1, true},
		{"slow", DefaultTTL, DefaultTTL, false},
		{"suspended", time.Second, DefaultTTL, false},
		{"wall clock set back", DefaultTTL - 1, -time.Hour, true},
		{"wall clock set back, slow", DefaultTTL, -time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(false, 1)
			h := take(t, w.options(w.store(local(t)), "mine"))
			w.clock.pass(c.mono, c.wall)
			if h.Valid() != c.valid {
				t.Errorf("valid %v", !c.valid)
			}
			w.clock.pass(-c.mono, -c.wall)
			if h.Valid() != c.valid {
				t.Errorf("the clocks go back: valid %v", !c.valid)
			}
		})
	}
}

// TestSuspendedMachine lets the wall clock jump: the next tick ends the work, and
// names who took the lease meanwhile.
func TestSuspendedMachine(t *testing.T) {
	t.Parallel()
	w, store := newWorld(true, 1), local(t)
	h := take(t, w.options(w.store(store), "mine"))
	w.clock.pass(0, expiry)
	other := take(t, w.options(w.store(store), "other"))
	other.stop()
	if h.Valid() || h.Context().Err() != nil {
		t.Error("it is valid, or its work ended before its clock ticked")
	}
	end := time.Now().Add(10 * time.Second)
	for h.Context().Err() == nil && time.Now().Before(end) {
		w.clock.pass(DefaultTTL/ticks, 0)
		time.Sleep(time.Millisecond) // its goroutine has to come to its timer
	}
	if lost := wantLost(t, h); lost.By == nil || lost.By.ID != other.ID() {
		t.Errorf("lost: %v", lost)
	}
}

func local(t *testing.T) blob.Store {
	t.Helper()
	l, err := blob.NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRenewals keeps a lease for an hour.
func TestRenewals(t *testing.T) {
	t.Parallel()
	w := newWorld(false, time.Second)
	store := local(t)
	h := take(t, w.options(w.store(store), "mine"))
	for range 3600 {
		w.pass(time.Second)
		h.turn(t.Context())
		if !h.Valid() {
			t.Fatal("lost")
		}
	}
	if f := read(t, w.store(store)); f.Counter < 170 || f.Counter > 182 || f.Generation != 1 {
		t.Errorf("%+v", f.content)
	}
	for body, n := range w.bodies {
		if n > 1 {
			t.Errorf("written %d times: %s", n, body)
		}
	}
	wantHeld(t, w.options(w.store(store), "other"), h)
	release(t, h)
	release(t, h)
	if f := read(t, w.store(store)); f.State != Released || h.Valid() || h.Check(t.Context()) == nil {
		t.Errorf("%+v, valid %v", f.content, h.Valid())
	}
}
