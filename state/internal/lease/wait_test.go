package lease

import (
	"context"
	"errors"
	"testing"
	"time"

	"reconcile/internal/blob/s3test"
)

// TestWaiting waits by the real clock of a holder that releases the lease, of one
// that keeps it, and until it is told to end.
func TestWaiting(t *testing.T) {
	t.Parallel()
	w, store := newWorld(false, 1), local(t)
	o := w.options(w.store(store), "a")
	o.Clock = nil
	other := o
	other.TTL = 600 * time.Millisecond // it looks every 10 ms
	h := take(t, o)
	var held *HeldError
	begin := time.Now()
	if _, err := Acquire(t.Context(), other, 50*time.Millisecond); !errors.As(err, &held) || time.Since(begin) < 50*time.Millisecond {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Acquire(ctx, other, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = h.Release(context.Background()) })
	next, err := Acquire(t.Context(), other, time.Minute)
	if err != nil || next.Generation() != 2 || next.OwesFence() {
		t.Fatalf("%+v, %v", next, err)
	}
	release(t, next)
}

// TestRealTime is all of it by the clocks of this machine and of a server, whose
// times have whole seconds.
func TestRealTime(t *testing.T) {
	t.Parallel()
	b := bucket(t, s3test.Start(t))
	w := newWorld(false, 1)
	o := w.options(openS3(t, b), "a")
	o.Clock, o.TTL, o.Margin = nil, 2*time.Second, 300*time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	h, err := Acquire(ctx, o, 0)
	if err != nil {
		t.Fatal(err)
	}
	stop() // its work is told to end, which does not end the lease
	if next, err := Acquire(t.Context(), o, 5*time.Second); err == nil {
		t.Fatalf("a lease that is renewed was taken over: %+v", next)
	}
	if !h.Valid() {
		t.Fatal(context.Cause(h.Context()))
	}
	h.stop() // as a process that was killed
	<-h.stopped
	o.Store = openS3(t, b)
	next, err := Acquire(t.Context(), o, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if d := h.o.Clock.Now().since(h.sent); d < o.TTL+o.Margin || h.Valid() || !next.Valid() || !next.OwesFence() {
		t.Errorf("taken over after %s: old valid %v, new valid %v, owes %v", d, h.Valid(), next.Valid(), next.OwesFence())
	}
	if s, err := Show(t.Context(), o.Store, key); err != nil || s.ID != next.ID() || s.Age > 5*time.Second || s.Now.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
}
