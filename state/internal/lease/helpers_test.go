package lease

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
)

const key = "lease"

// clock is one that tests move. Timers run only if they say so: else they call
// turn themselves.
type clock struct {
	mu     sync.Mutex
	now    Instant
	runs   bool
	timers map[chan time.Time]time.Duration
}

func newClock(runs bool) *clock {
	return &clock{now: Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 123_456_789, time.UTC)}, runs: runs, timers: map[chan time.Time]time.Duration{}}
}

func (c *clock) Now() Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if c.runs {
		c.timers[ch] = c.now.Mono + d
	}
	return ch
}

// pass lets time pass, or a machine be suspended: then only the wall clock goes on.
func (c *clock) pass(mono, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Mono += mono
	c.now.Wall = c.now.Wall.Add(wall)
	for ch, at := range c.timers {
		if at <= c.now.Mono {
			ch <- c.now.Wall
			delete(c.timers, ch)
		}
	}
}

// world is a store whose clock tests move, for any number of processes.
type world struct {
	clock *clock
	// precision is that of the store's times.
	precision time.Duration

	mu      sync.Mutex
	written map[string]time.Time // when what has a pin was
	tried   time.Time            // when something was written whose pin is not known
	bodies  map[string]int       // what was sent, and how often
}

func newWorld(runs bool, precision time.Duration) *world {
	return &world{clock: newClock(runs), precision: precision, written: map[string]time.Time{}, bodies: map[string]int{}}
}

func (w *world) pass(d time.Duration) { w.clock.pass(d, d) }

func (w *world) store(s blob.Store) *process { return &process{Store: s, w: w} }

// process is the store as one process sees it. at is called before and after each
// request, of which it can see what is done.
type process struct {
	blob.Store
	w  *world
	at func(step string)
}

func (p *process) hit(step string) {
	if p.at != nil {
		p.at(step)
	}
}

func (p *process) dated(o blob.Object) blob.Object {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if _, ok := p.w.written[o.Pin]; !ok {
		p.w.written[o.Pin] = p.w.tried
	}
	o.ModTime = p.w.written[o.Pin].Truncate(p.w.precision)
	o.Now = p.w.clock.Now().Wall.Truncate(p.w.precision)
	return o
}

func (p *process) Stat(ctx context.Context, key string) (blob.Object, error) {
	o, err := p.Store.Stat(ctx, key)
	return p.dated(o), err
}

func (p *process) Open(ctx context.Context, key string) (blob.Handle, error) {
	p.hit("before reading")
	h, err := p.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	o := p.dated(h.Object())
	p.hit("after reading")
	return &handle{h, o}, nil
}

type handle struct {
	blob.Handle
	o blob.Object
}

func (h *handle) Object() blob.Object { return h.o }

func (p *process) Create(ctx context.Context, key string, cond blob.Cond) (blob.Writer, error) {
	wr, err := p.Store.Create(ctx, key, cond)
	return &writer{Writer: wr, p: p}, err
}

type writer struct {
	blob.Writer
	p    *process
	body string
}

func (w *writer) Write(b []byte) (int, error) {
	w.body += string(b)
	return w.Writer.Write(b)
}

func (w *writer) Commit() (blob.Object, error) {
	w.p.hit("before writing")
	w.p.w.mu.Lock()
	w.p.w.tried = w.p.w.clock.Now().Wall
	w.p.w.bodies[w.body]++
	w.p.w.mu.Unlock()
	o, err := w.Writer.Commit()
	if err == nil {
		w.p.w.mu.Lock()
		w.p.w.written[o.Pin] = w.p.w.clock.Now().Wall
		w.p.w.mu.Unlock()
	}
	w.p.hit("after writing")
	return o, err
}

// stores are what tests run on: each call of open gives the same place to another
// process.
func stores(t *testing.T, test func(t *testing.T, precision time.Duration, open func() blob.Store)) {
	t.Run("local", func(t *testing.T) {
		l, err := blob.NewLocal(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Parallel()
		test(t, 1, func() blob.Store { return l })
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		o := bucket(t, s3test.Start(t))
		test(t, time.Second, func() blob.Store { return openS3(t, o) })
	})
}

func bucket(t *testing.T, srv *s3test.Server) s3blob.Options {
	return s3blob.Options{Bucket: srv.Bucket(t), Prefix: "state", Endpoint: srv.Endpoint, Region: srv.Region, ForcePathStyle: true,
		Retry: blob.Retry{Wait: time.Millisecond}, Credentials: srv.Credentials()}
}

func openS3(t *testing.T, o s3blob.Options) blob.Store {
	t.Helper()
	s, err := s3blob.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// options are those of a process called name, of a state without records.
func (w *world) options(s blob.Store, name string) Options {
	return Options{Store: s, Key: key, Clock: w.clock,
		Holder: Holder{PID: 7, Host: name, User: "u", Command: "apply", Since: w.clock.Now().Wall},
		Newest: func(context.Context) (uint64, bool, error) { return 0, false, nil }}
}

// take acquires a lease that must be free.
func take(t *testing.T, o Options) *Held {
	t.Helper()
	h, err := Acquire(t.Context(), o, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Release(context.Background()) })
	return h
}

func release(t *testing.T, h *Held) {
	t.Helper()
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantHeld fails unless the lease is held by whom.
func wantHeld(t *testing.T, o Options, by *Held) *HeldError {
	t.Helper()
	h, err := Acquire(t.Context(), o, 0)
	var held *HeldError
	if !errors.As(err, &held) || held.Status.ID != by.ID() {
		t.Fatalf("got %v, %v, want that %s holds it", h, err, by.ID())
	}
	return held
}

// wantLost fails unless the lease was lost, for a reason with these words.
func wantLost(t *testing.T, h *Held) *LostError {
	t.Helper()
	select {
	case <-h.Context().Done():
	case <-time.After(10 * time.Second):
	}
	var lost *LostError
	if !errors.As(context.Cause(h.Context()), &lost) || h.Valid() {
		t.Fatalf("valid %v, its context says %v, want a lost lease", h.Valid(), context.Cause(h.Context()))
	}
	return lost
}

func read(t *testing.T, s blob.Store) *found {
	t.Helper()
	f, err := find(t.Context(), s, key)
	if err != nil || f == nil {
		t.Fatalf("%+v, %v", f, err)
	}
	return f
}
