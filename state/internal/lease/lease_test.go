package lease

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
)

// TestFenceIsOwedUntilItStands takes over again and again: whoever does owes a
// fence until it stands, and releases nothing before.
func TestFenceIsOwedUntilItStands(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	o := w.options(w.store(store), "a")
	first := take(t, o)
	if first.OwesFence() || first.Generation() != 1 {
		t.Errorf("the first one: generation %d, owes %v", first.Generation(), first.OwesFence())
	}
	for i := range 3 {
		w.pass(expiry)
		h := take(t, o)
		before := read(t, o.Store)
		release(t, h)
		if after := read(t, o.Store); !h.OwesFence() || !after.Fence || after.Counter != before.Counter || h.Context().Err() == nil {
			t.Errorf("%d: owes %v, the store has %+v", i, h.OwesFence(), after.content)
		}
		wantHeld(t, o, h)
	}
	w.pass(expiry)
	h := take(t, o)
	h.Fenced()
	release(t, h)
	if h = take(t, o); h.OwesFence() || h.Generation() != 6 {
		t.Errorf("after a fence and a release: generation %d, owes %v", h.Generation(), h.OwesFence())
	}
}

// TestFenceOfAReleasedLease is about a lease that says that it was released and a
// fence is owed.
func TestFenceOfAReleasedLease(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	o := w.options(w.store(store), "a")
	c := content{Format: format, State: Released, ID: "X", Generation: 4, Counter: 9, TTL: 60000, Fence: true}
	plant(t, store, c)
	if h := take(t, o); !h.OwesFence() || h.Generation() != 5 {
		t.Errorf("generation %d, owes %v", h.Generation(), h.OwesFence())
	}
}

func plant(t *testing.T, s blob.Store, c content) {
	t.Helper()
	data, err := c.encode()
	if err == nil {
		_, err = blob.Put(t.Context(), s, key, data, blob.Cond{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeepOpen(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	o := w.options(w.store(store), "a")
	h := take(t, o)
	h.KeepOpen()
	release(t, h)
	wantHeld(t, o, h)
	w.pass(expiry)
	if h = take(t, o); !h.OwesFence() {
		t.Error("no fence is owed")
	}
}

// TestExpiry waits to the tick.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		precision, ttl, passed time.Duration
		free                   bool
	}{
		{1, DefaultTTL, 65 * time.Second, false},
		{1, DefaultTTL, 65*time.Second + 1, true},
		{time.Second, DefaultTTL, 65 * time.Second, false},
		{time.Second, DefaultTTL, 65*time.Second + 800*time.Millisecond, false}, // 65 by whole seconds
		{time.Second, DefaultTTL, 66 * time.Second, true},
		{time.Second, DefaultTTL + 890*time.Millisecond, 65*time.Second + 880*time.Millisecond, false}, // 66 by whole seconds
	} {
		w, store := newWorld(false, c.precision), local(t)
		o := w.options(w.store(store), "a")
		o.TTL = c.ttl
		h := take(t, o)
		w.pass(c.passed)
		if s, err := Show(t.Context(), o.Store, key); err != nil || s.Expired != c.free || s.ID != h.ID() {
			t.Errorf("%s after %s: %+v, %v", c.precision, c.passed, s, err)
		}
		if next, err := Acquire(t.Context(), o, 0); (err == nil) != c.free {
			t.Errorf("%s after %s: %v, %v", c.precision, c.passed, next, err)
		}
	}
}

// TestExpiryOfAnotherTTL waits for what the holder said, not for what the waiter
// would.
func TestExpiryOfAnotherTTL(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	o := w.options(w.store(store), "a")
	long := o
	long.TTL = time.Hour
	h := take(t, long)
	w.pass(expiry)
	wantHeld(t, o, h)
}

// TestNoClock is about a store that does not say its time: nobody can tell whether
// a lease has expired.
func TestNoClock(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	h := take(t, w.options(w.store(store), "a"))
	w.clock.now.Wall = time.Time{}
	if held := wantHeld(t, w.options(w.store(store), "b"), h); held.Status.Expired || !strings.Contains(held.Error(), "does not tell its time") {
		t.Error(held)
	}
}

func TestForce(t *testing.T) {
	t.Parallel()
	stores(t, func(t *testing.T, precision time.Duration, open func() blob.Store) {
		w := newWorld(false, precision)
		o := w.options(w.store(open()), "a")
		if err := Force(t.Context(), o.Store, key, "X"); err == nil || !strings.Contains(err.Error(), "there is no lease") {
			t.Errorf("no lease: %v", err)
		}
		h := take(t, o)
		w.pass(third)
		h.turn(t.Context())
		w.pass(10 * time.Second)
		if err := Force(t.Context(), o.Store, key, "X"); err == nil || !strings.Contains(err.Error(), h.ID()) {
			t.Errorf("another ID: %v", err)
		}
		before := w.clock.Now().Wall
		for range 2 {
			if err := Force(t.Context(), o.Store, key, h.ID()); err != nil {
				t.Fatal(err)
			}
			w.pass(10 * time.Second)
		}
		if s, err := Show(t.Context(), o.Store, key); err != nil || s.State != Forced || s.Age.Round(time.Second) != 30*time.Second || s.Expired {
			t.Errorf("%+v, %v", s, err)
		}
		h.turn(t.Context())
		if lost := wantLost(t, h); !strings.Contains(lost.Error(), "force-unlocked") {
			t.Error(lost)
		}
		w.pass(before.Add(55 * time.Second).Sub(w.clock.Now().Wall)) // 65 s after the renewal
		if held := wantHeld(t, o, h); !strings.Contains(held.Error(), "was force-unlocked") {
			t.Error(held)
		}
		w.pass(time.Second)
		next := take(t, o)
		if !next.OwesFence() || next.Generation() != 2 {
			t.Errorf("generation %d, owes %v", next.Generation(), next.OwesFence())
		}
		next.Fenced()
		release(t, next)
		if err := Force(t.Context(), o.Store, key, next.ID()); err == nil || !strings.Contains(err.Error(), "released already") {
			t.Errorf("released: %v", err)
		}
	})
}

// TestForceBesideRenewals forces a lease that is renewed between reading and
// writing it.
func TestForceBesideRenewals(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	h := take(t, w.options(w.store(store), "a"))
	p, renewed := w.store(store), time.Time{}
	p.at = func(step string) {
		if step == "before writing" && renewed.IsZero() {
			w.pass(third)
			h.turn(t.Context())
			renewed = w.clock.Now().Wall
		}
	}
	if err := Force(t.Context(), p, key, h.ID()); err != nil {
		t.Fatal(err)
	}
	if f := read(t, w.store(store)); f.State != Forced || !f.Renewed.Equal(renewed) {
		t.Errorf("%+v, want it renewed at %s", f.content, renewed)
	}
}

// TestGone removes the lease.
func TestGone(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	o := w.options(w.store(store), "a")
	h := take(t, o)
	if err := store.Delete(t.Context(), key, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	var lost *LostError
	if err := h.Check(t.Context()); !errors.As(err, &lost) || !strings.Contains(err.Error(), "it is gone") || h.Valid() {
		t.Errorf("check: %v", err)
	}
	wantLost(t, h)
	o.Newest = func(context.Context) (uint64, bool, error) { return 70, true, nil }
	if next := take(t, o); next.Generation() < 1070 || !next.OwesFence() {
		t.Errorf("generation %d, owes %v", next.Generation(), next.OwesFence())
	}
	if err := store.Delete(t.Context(), key, blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	o.Newest = func(context.Context) (uint64, bool, error) { return 0, false, broken }
	if _, err := Acquire(t.Context(), o, 0); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if s, err := Show(t.Context(), store, key); s != nil || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestPutBack gives the object an earlier content, and one that no holder wrote.
func TestPutBack(t *testing.T) {
	t.Parallel()
	for _, counter := range []uint64{1, 9} {
		w, store := newWorld(false, 1), local(t)
		h := take(t, w.options(w.store(store), "a"))
		first := read(t, store).content
		w.pass(third)
		h.turn(t.Context())
		if err := h.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Counter = counter
		plant(t, store, first)
		w.pass(third)
		h.turn(t.Context())
		if lost := wantLost(t, h); !strings.Contains(lost.Error(), "put back") && counter == 1 {
			t.Error(lost)
		}
	}
}

// TestDamaged damages each byte of a lease.
func TestDamaged(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(false, time.Second), t.TempDir()
	store, err := blob.NewLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := w.options(w.store(store), "a")
	o.Newest = func(context.Context) (uint64, bool, error) { return 70, true, nil }
	take(t, o)
	file := filepath.Join(dir, key)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broken := [][]byte{nil, []byte("{}"), append(data[:len(data):len(data)], 'x'), make([]byte, maxSize+1)}
	for i := range data {
		bad := append([]byte(nil), data...)
		bad[i] ^= 4
		broken = append(broken, bad, data[:i])
	}
	for _, bad := range broken {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Acquire(t.Context(), o, 0)
		wantDamaged(t, err, file)
		_, err = Show(t.Context(), o.Store, key)
		wantDamaged(t, err, file)
	}
}

func wantDamaged(t *testing.T, err error, file string) *DamagedError {
	t.Helper()
	var damaged *DamagedError
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "force-unlock "+damaged.ID) {
		t.Fatalf("got %v", err)
	}
	return damaged
}

// TestForceDamaged frees a damaged lease, as its message says.
func TestForceDamaged(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, time.Second), local(t)
	o := w.options(w.store(store), "a")
	o.Newest = func(context.Context) (uint64, bool, error) { return 70, true, nil }
	h := take(t, o)
	if _, err := blob.Put(t.Context(), o.Store, key, []byte("x"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	_, err := Acquire(t.Context(), o, 0)
	damaged := wantDamaged(t, err, key)
	if err := Force(t.Context(), o.Store, key, "X"); err == nil {
		t.Error("forced by another ID")
	}
	w.pass(10 * time.Second)
	if err := Force(t.Context(), o.Store, key, damaged.ID); err != nil {
		t.Fatal(err)
	}
	w.pass(55 * time.Second)
	var held *HeldError
	if _, err := Acquire(t.Context(), o, 0); !errors.As(err, &held) {
		t.Errorf("got %v, want that it waits", err)
	}
	w.pass(time.Second)
	next := take(t, o)
	if next.Generation() < 1070 || !next.OwesFence() {
		t.Errorf("generation %d, owes %v", next.Generation(), next.OwesFence())
	}
	h.turn(t.Context())
	if lost := wantLost(t, h); lost.By == nil || lost.By.ID != next.ID() {
		t.Errorf("lost: %v", lost)
	}
}

func TestNewerFormat(t *testing.T) {
	t.Parallel()
	store := local(t)
	plant(t, store, content{Format: format + 1, State: Taken, ID: "X", Generation: 4, Counter: 9, TTL: 60000})
	if _, err := Show(t.Context(), store, key); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("got %v", err)
	}
}
