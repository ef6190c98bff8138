package lease

import (
	"context"
	"time"
)

// Fractions of a TTL. A renewal that fails is tried again after each tick, and
// there is time for four of them.
const (
	renewEvery  = 3
	requestTime = 6  // a request that takes longer is given up
	ticks       = 60 // a second: after that a process that was suspended notices
)

// renewals renews the lease until it is lost or ctx ends.
func (h *Held) renewals(ctx context.Context) {
	defer close(h.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.o.Clock.After(h.o.TTL / ticks):
		}
		h.turn(ctx)
	}
}

// turn does what is to be done at a tick. Losing the lease ends ctx.
func (h *Held) turn(ctx context.Context) {
	if lost := h.tick(ctx); lost != nil {
		h.lose(lost)
	}
}

// tick renews the lease if it is time, and returns how it was lost, nil if it was
// not.
func (h *Held) tick(ctx context.Context) *LostError {
	h.mu.Lock()
	left := h.left()
	h.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil
	case left == 0:
		return h.tooLate(ctx)
	case left > h.o.TTL-h.o.TTL/renewEvery:
		return nil
	}
	if h.write(ctx, Taken, min(left, h.o.TTL/requestTime)) == nil || ctx.Err() != nil {
		return nil
	}
	lost, _ := h.learn(ctx)
	return lost
}

// tooLate is the loss of a lease that has expired. The store is asked who has it
// now, if it answers soon.
func (h *Held) tooLate(ctx context.Context) *LostError {
	f, err := h.read(ctx, h.o.TTL/ticks)
	h.mu.Lock()
	known := h.last.Counter
	h.mu.Unlock()
	if lost, _ := h.judge(f, err, known); lost != nil {
		return lost
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return &LostError{Place: h.o.place(), Err: h.failed,
		Reason: "it was not renewed within " + h.o.TTL.String() + ", as the store did not answer or this process stood still"}
}

// learn finds out what became of a write that failed: it may have been done, and
// only the answer was lost. That does not count as a renewal, but its pin is needed
// for the next one.
func (h *Held) learn(ctx context.Context) (*LostError, error) {
	h.mu.Lock()
	known := h.last.Counter
	h.mu.Unlock()
	f, err := h.read(ctx, h.o.TTL/requestTime)
	lost, err := h.judge(f, err, known)
	if lost != nil || err != nil {
		return lost, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pin, h.last = f.object.Pin, f.content
	return nil, nil
}

func (h *Held) read(ctx context.Context, limit time.Duration) (*found, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return find(ctx, h.o.Store, h.o.Key)
}
