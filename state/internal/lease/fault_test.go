package lease

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3test"
)

// gated is a bucket behind a gate, and a process whose requests are sent once.
func gated(t *testing.T) (*world, *s3test.Gate, Options, blob.Store) {
	t.Helper()
	srv := s3test.Start(t)
	direct := bucket(t, srv)
	gate := s3test.NewGate(t, srv.Endpoint)
	once := direct
	once.Endpoint, once.Retry.Attempts = gate.Endpoint, 1
	w := newWorld(false, time.Second)
	o := w.options(w.store(openS3(t, once)), "mine")
	// What the server keeps is tried out before the faults begin.
	h := take(t, o)
	release(t, h)
	return w, gate, o, w.store(openS3(t, direct))
}

// puts lets each PUT of the lease fail, up to the n-th.
func puts(gate *s3test.Gate, n int, f s3test.Fault) {
	seen := 0
	gate.Rule(func(_ int, r *http.Request) s3test.Fault {
		if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/lease") {
			return s3test.NoFault
		}
		if seen++; seen > n {
			return s3test.NoFault
		}
		return f
	})
}

// TestLostAnswers loses the answers to all that a holder writes. The store does
// not try again, so that the lease is on its own.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, f := range []s3test.Fault{s3test.LostAnswer, s3test.CutAnswer, s3test.Internal, s3test.CutRequest} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			w, gate, o, direct := gated(t)
			reaches := f == s3test.LostAnswer || f == s3test.CutAnswer

			puts(gate, 1, f)
			h, err := Acquire(t.Context(), o, 0)
			if reaches != (err == nil) {
				t.Fatalf("acquire: %v", err)
			}
			if h == nil {
				h = take(t, o)
			}
			lostRenewal(t, w, gate, h, direct, f, reaches)
			puts(gate, 1, f)
			err = h.Release(t.Context())
			if state := read(t, direct).State; reaches != (err == nil) || reaches != (state == Released) {
				t.Errorf("release: %v, it is %s", err, state)
			}
			lostTakeOver(t, w, gate, o, direct, f, reaches)
		})
	}
}

// lostRenewal loses the answer to a renewal, which does not count, and lets the
// next one pass.
func lostRenewal(t *testing.T, w *world, gate *s3test.Gate, h *Held, direct blob.Store, f s3test.Fault, reaches bool) {
	t.Helper()
	puts(gate, 1, f)
	before, sent := read(t, direct), h.sent
	w.pass(third)
	h.turn(t.Context())
	if after := read(t, direct); h.sent != sent || reaches != (after.Counter > before.Counter) || gate.Struck() != 1 || !h.Valid() {
		t.Errorf("renewal: %+v after %+v, struck %d, valid %v", after.content, before.content, gate.Struck(), h.Valid())
	}
	if err := h.Check(t.Context()); err != nil {
		t.Error(err)
	}
	w.pass(time.Second)
	h.turn(t.Context())
	w.pass(DefaultTTL - 5*time.Second)
	if !h.Valid() {
		t.Error("the renewal after it does not count")
	}
}

// lostTakeOver loses the answer to a take-over.
func lostTakeOver(t *testing.T, w *world, gate *s3test.Gate, o Options, direct blob.Store, f s3test.Fault, reaches bool) {
	t.Helper()
	c := read(t, direct).content
	c.State, c.ID, c.Counter = Taken, "ANOTHER", c.Counter+1
	w.mu.Lock()
	w.tried = w.clock.Now().Wall
	w.mu.Unlock()
	plant(t, direct, c)
	w.pass(expiry)
	puts(gate, 1, f)
	h, err := Acquire(t.Context(), o, 0)
	if reaches != (err == nil) {
		t.Fatalf("take-over: %v", err)
	}
	if h == nil {
		h = take(t, o)
	}
	if got := read(t, direct); !h.OwesFence() || !h.Valid() || got.ID != h.ID() || got.Generation != h.Generation() || h.Generation() != c.Generation+1 {
		t.Errorf("take-over: owes %v, valid %v, generation %d: %+v", h.OwesFence(), h.Valid(), h.Generation(), got.content)
	}
	for body, n := range w.bodies {
		if n > 1 {
			t.Errorf("sent %d times: %s", n, body)
		}
	}
	h.Fenced()
	release(t, h)
}

// TestLostAnswersAreRetried is the same with a store that tries again.
func TestLostAnswersAreRetried(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	b := bucket(t, srv)
	gate := s3test.NewGate(t, srv.Endpoint)
	b.Endpoint = gate.Endpoint
	w := newWorld(false, time.Second)
	o := w.options(w.store(openS3(t, b)), "mine")
	release(t, take(t, o))
	for _, f := range s3test.AllFaults() {
		if f == s3test.Hangs || f == s3test.LateAnswer {
			continue // they last until the client gives up
		}
		puts(gate, 2, f)
		h := take(t, o)
		puts(gate, 2, f)
		w.pass(third)
		h.turn(t.Context())
		w.pass(DefaultTTL - 5*time.Second)
		if !h.Valid() {
			t.Errorf("%s: the renewal failed: %v", f, h.failed)
		}
		puts(gate, 2, f)
		release(t, h)
		if got := read(t, o.Store); got.State != Released {
			t.Errorf("%s: %+v", f, got.content)
		}
	}
}

// TestHangingStore gives a renewal up in time: with the lease it ends.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	_, gate, o, _ := gated(t)
	o.TTL, o.Margin, o.Clock = 1200*time.Millisecond, time.Millisecond, nil
	h := take(t, o)
	gate.From(1, s3test.Hangs)
	begin := time.Now()
	lost := wantLost(t, h)
	if d := time.Since(begin); d > 2*o.TTL || !errors.Is(lost, context.DeadlineExceeded) {
		t.Errorf("lost after %s: %v", d, lost)
	}
	if n := gate.Struck(); n < 3 {
		t.Errorf("%d requests hung, want several attempts", n)
	}
	begin = time.Now()
	release(t, h)
	if d := time.Since(begin); d > time.Second {
		t.Errorf("releasing took %s", d)
	}
}

// TestStoppedWhileAcquiring ends the context when the lease is written, and the
// answer is not there: it is given back.
func TestStoppedWhileAcquiring(t *testing.T) {
	t.Parallel()
	_, gate, o, direct := gated(t)
	ctx, cancel := context.WithCancel(t.Context())
	gate.Rule(func(_ int, r *http.Request) s3test.Fault {
		if r.Method == http.MethodPut && ctx.Err() == nil {
			time.AfterFunc(100*time.Millisecond, cancel)
			return s3test.LateAnswer
		}
		return s3test.NoFault
	})
	if h, err := Acquire(ctx, o, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", h, err)
	}
	if f := read(t, direct); f.State != Released || f.Generation != 2 {
		t.Errorf("%+v", f.content)
	}
}

// TestReleaseAfterAnUnknownRenewal releases a lease of which the last renewal was
// done, unknown to its holder, as neither that nor the lease could be read.
func TestReleaseAfterAnUnknownRenewal(t *testing.T) {
	t.Parallel()
	w, gate, o, direct := gated(t)
	h := take(t, o)
	gate.Rule(func(_ int, r *http.Request) s3test.Fault {
		if r.Method == http.MethodPut {
			return s3test.LostAnswer
		}
		return s3test.Internal
	})
	w.pass(third)
	h.turn(t.Context())
	gate.Rule(nil)
	known := h.last.Counter
	if f := read(t, direct); f.Counter != known+1 {
		t.Fatalf("it knows of counter %d, and there is %+v", known, f.content)
	}
	release(t, h)
	if f := read(t, direct); f.State != Released || f.ID != h.ID() {
		t.Errorf("%+v", f.content)
	}
}
