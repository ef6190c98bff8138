package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"reconcile/internal/blob"
)

// Held is a lease that was acquired. Its methods may be called by several
// goroutines.
type Held struct {
	o          Options
	id         string
	generation uint64
	ctx        context.Context
	cancel     context.CancelCauseFunc
	stop       context.CancelFunc // ends the renewals
	stopped    chan struct{}      // closed when they have ended

	// releasing makes a second Release wait for the first.
	releasing sync.Mutex
	// mu guards what follows, and is never held while the store is asked.
	mu       sync.Mutex
	pin      string  // of the object as it was last known to stand
	last     content // what it holds
	counter  uint64  // of the last write that was sent
	sent     Instant // when the last renewal that succeeded was
	over     bool    // it was seen to be lost: it never is valid again
	failed   error   // of the last renewal, nil if it succeeded
	lost     *LostError
	fenced   bool
	keepOpen bool
	released bool
}

// hold returns the lease that was written, and begins to renew it.
func hold(ctx context.Context, o Options, c *content, pin string, sent Instant) *Held {
	h := &Held{o: o, id: c.ID, generation: c.Generation, stopped: make(chan struct{}),
		pin: pin, last: *c, counter: c.Counter, sent: sent}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	// Work that was told to end still needs its lease until it has.
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	go h.renewals(renewing)
	return h
}

// Generation returns the lease's generation, which is above that of every holder
// before.
func (h *Held) Generation() uint64 { return h.generation }

// ID returns what Force takes.
func (h *Held) ID() string { return h.id }

// Context ends with the context given to Acquire, with Release, and, its cause
// being a *LostError, when the lease is lost.
func (h *Held) Context() context.Context { return h.ctx }

// Valid reports whether the lease is held at this moment: less than its TTL ago
// the last renewal that succeeded was sent. It is to be asked right before whatever
// only the holder may do. Once it says no it never says yes again.
func (h *Held) Valid() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left() > 0
}

// left returns how long the lease lasts, 0 if it is over. It needs h.mu.
func (h *Held) left() time.Duration {
	left := h.o.TTL - h.o.Clock.Now().since(h.sent)
	if left <= 0 {
		h.over = true
	}
	if h.over || h.released {
		return 0
	}
	return left
}

// OwesFence reports whether the holder has to write a fence before anything else:
// the lease was taken over, forced or gone, or a holder before owed one.
func (h *Held) OwesFence() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.owes()
}

func (h *Held) owes() bool { return h.last.Fence && !h.fenced }

// Fenced notes that the fence stands.
func (h *Held) Fenced() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fenced = true
}

// KeepOpen notes that the outcome of a record is unknown: the lease is not released
// then, so that the next holder takes it over and writes a fence.
func (h *Held) KeepOpen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keepOpen = true
}

// Check reads the lease and reports whether it still is this holder's, with a
// *LostError if not; then its context has ended, too. A lease that is not valid any
// more is lost, whoever has it. Any other error says nothing of the lease.
func (h *Held) Check(ctx context.Context) error {
	h.mu.Lock()
	lost, known, released := h.lost, h.last.Counter, h.released
	h.mu.Unlock()
	if lost != nil {
		return lost
	}
	if released {
		return fmt.Errorf("lease %s was released", h.o.place())
	}
	f, err := find(ctx, h.o.Store, h.o.Key)
	if lost, err = h.judge(f, err, known); lost != nil {
		return h.lose(lost)
	}
	if !h.Valid() {
		return h.lose(h.tooLate(ctx)) // it may have been taken since
	}
	return err
}

// judge says of the lease as it was read how it was lost, nil if it is ours: by its
// ID, and by its counter not one that we never wrote, or one before what is known
// to have stood there.
func (h *Held) judge(f *found, err error, known uint64) (*LostError, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lost := &LostError{Place: h.o.place()}
	var damaged *DamagedError
	switch {
	case errors.As(err, &damaged):
		lost.Reason, lost.Err = "something else stands in its place", damaged
	case err != nil:
		return nil, err
	case f == nil:
		lost.Reason = "it is gone"
	case f.ID == h.id && f.State == Taken && known <= f.Counter && f.Counter <= h.counter:
		return nil, nil
	default:
		lost.By, lost.Reason = f.status(h.o.Margin), h.how(f)
	}
	return lost, nil
}

// how says what became of a lease that is not ours any more.
func (h *Held) how(f *found) string {
	switch {
	case f.ID == h.id && f.State == Forced:
		return "it was force-unlocked"
	case f.ID == h.id && f.State == Taken:
		return "an earlier content of it was put back, or a copy of this process renews it"
	case f.State == Taken:
		return "it was taken over by " + f.Holder.String()
	default:
		return "it was taken over by " + f.Holder.String() + ", and is " + string(f.State)
	}
}

// lose ends the lease, and returns how it was lost first.
func (h *Held) lose(lost *LostError) *LostError {
	h.mu.Lock()
	if h.lost == nil {
		h.lost, h.over = lost, true
	}
	lost = h.lost
	h.mu.Unlock()
	h.cancel(lost)
	h.stop()
	return lost
}

// write writes the lease with another state, within limit.
func (h *Held) write(ctx context.Context, state State, limit time.Duration) error {
	h.mu.Lock()
	h.counter++
	c, pin := h.last, h.pin
	c.State, c.Counter, c.Fence = state, h.counter, h.owes()
	h.mu.Unlock()
	sent := h.o.Clock.Now()
	o, err := put(ctx, h.o, &c, blob.Match(pin), limit)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = err
	if err == nil {
		h.pin, h.last = o.Pin, c
		if h.left() > 0 { // what was over meanwhile stays over
			h.sent = sent
		}
	}
	return err
}
