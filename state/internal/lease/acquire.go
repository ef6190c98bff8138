package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
)

// What a lease lasts unless Options say otherwise, and what a waiter adds to it.
const (
	DefaultTTL    = 60 * time.Second
	DefaultMargin = 5 * time.Second
)

// gap is what the generation jumps by where that of the last holder is not known:
// more than there can have been holders since the newest record.
const gap = 1_000_000

// Options says which lease is acquired, and for whom.
type Options struct {
	Store  blob.Store // it must keep conditions on writes
	Key    string
	TTL    time.Duration // 0 means DefaultTTL
	Margin time.Duration // what a waiter adds to a holder's TTL; 0 means DefaultMargin
	Holder Holder
	// Newest returns the generation of the state's newest record, and whether there
	// is any record. It is asked only if the store has no lease, or a damaged one was
	// forced: with records, that counts as taken over.
	Newest func(ctx context.Context) (generation uint64, any bool, err error)
	// Above is what the generation has to exceed: the lease of another place may have
	// given it to what the holder of this one finds.
	Above uint64
	Clock Clock // nil means that of this machine
}

func (o Options) withDefaults() Options {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.Margin == 0 {
		o.Margin = DefaultMargin
	}
	if o.Clock == nil {
		o.Clock = systemClock{time.Now()}
	}
	return o
}

// place is the URL or path of the lease.
func (o Options) place() string { return o.Store.Root() + "/" + o.Key }

func newID() string { return rand.Text() }

// Acquire takes the lease, waiting for its holder up to wait. The error is a
// *HeldError when he still has it then, and a *DamagedError when something else
// stands in the lease's place. A lease that has expired is taken over at once.
//
// The caller must call Release of what he gets. The end of ctx ends waiting and,
// later, the context of the lease, but not its renewals.
func Acquire(ctx context.Context, o Options, wait time.Duration) (*Held, error) {
	o = o.withDefaults()
	a := &acquirer{o: o, id: newID()}
	for start := o.Clock.Now(); ; {
		h, err := a.try(ctx)
		var held *HeldError
		left := wait - o.Clock.Now().since(start)
		if !errors.As(err, &held) || left <= 0 {
			return h, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lease %s: %w", o.place(), context.Cause(ctx))
		case <-o.Clock.After(min(left, o.TTL/lookAgain)):
		}
	}
}

// lookAgain is how often a waiter looks within a TTL: each second.
const lookAgain = 60

// conflicts is how often the lease may change between reading and writing it before
// the store is blamed.
const conflicts = 100

// acquirer is one call of Acquire. It writes leases of one ID only, so that it
// recognises its own when an answer was lost.
type acquirer struct {
	o  Options
	id string
}

// try takes the lease unless somebody else has it.
func (a *acquirer) try(ctx context.Context) (*Held, error) {
	for range conflicts {
		f, err := find(ctx, a.o.Store, a.o.Key)
		if err != nil {
			return nil, err
		}
		next, cond, err := a.next(ctx, f)
		if err != nil {
			return nil, err
		}
		h, err := a.write(ctx, next, cond)
		if h != nil || err != nil {
			return h, err
		}
	}
	return nil, fmt.Errorf("acquire lease %s: it changed %d times between reading and writing it: run again", a.o.place(), conflicts)
}

// next returns what to write in place of what was found, and on what condition.
func (a *acquirer) next(ctx context.Context, f *found) (*content, blob.Cond, error) {
	c := &content{Format: format, State: Taken, ID: a.id, Holder: a.o.Holder, Counter: 1, Generation: 1, TTL: a.o.TTL.Milliseconds()}
	if f == nil {
		newest, any, err := a.newest(ctx)
		if any {
			c.Generation, c.Fence = newest+gap, true
		}
		c.Generation = max(c.Generation, a.o.Above+1)
		return c, blob.Absent(), err
	}
	c.Counter, c.Generation, c.Fence = f.Counter+1, f.Generation+1, f.Fence
	switch {
	case f.ID == a.id && f.State == Taken: // written by an attempt whose answer did not come, or too late
		c.Generation = f.Generation
	case f.State == Released:
	case !f.expired(a.o.Margin):
		return nil, blob.Cond{}, &HeldError{Place: f.place, Status: *f.status(a.o.Margin)}
	default:
		c.Fence = true
	}
	if f.Replaced {
		newest, _, err := a.newest(ctx)
		if err != nil {
			return nil, blob.Cond{}, err
		}
		c.Generation = max(c.Generation, newest+gap)
	}
	c.Generation = max(c.Generation, a.o.Above+1)
	return c, blob.Match(f.object.Pin), nil
}

func (a *acquirer) newest(ctx context.Context) (uint64, bool, error) {
	generation, any, err := a.o.Newest(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("acquire lease %s, of which nothing stands there: %w", a.o.place(), err)
	}
	return generation, any, nil
}

// write returns neither a lease nor an error when the lease is to be looked at
// again: it changed, is ours for all that its answer did not say so, or was
// answered too late to count on it.
func (a *acquirer) write(ctx context.Context, next *content, cond blob.Cond) (*Held, error) {
	sent := a.o.Clock.Now()
	o, err := put(ctx, a.o, next, cond, a.o.TTL)
	switch {
	case err == nil && a.o.Clock.Now().since(sent) < a.o.TTL:
		return hold(ctx, a.o, next, o.Pin, sent), nil
	case err == nil || errors.Is(err, blob.ErrConflict):
		return nil, nil
	}
	if ctx.Err() != nil {
		a.giveBack(ctx, next, sent)
		return nil, err
	}
	if f, ferr := find(ctx, a.o.Store, a.o.Key); ferr == nil && f != nil && f.ID == a.id && f.State == Taken {
		return nil, nil
	}
	return nil, err
}

// put writes a lease, in limit at most.
func put(ctx context.Context, o Options, c *content, cond blob.Cond, limit time.Duration) (blob.Object, error) {
	data, err := c.encode()
	if err != nil {
		return blob.Object{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = failpoint.Hit(ctx, failpoint.LeaseBefore)
	var obj blob.Object
	if err == nil {
		obj, err = blob.Put(ctx, o.Store, o.Key, data, cond)
	}
	if err == nil {
		err = failpoint.Hit(ctx, failpoint.LeaseAfter)
	}
	if err != nil {
		return blob.Object{}, fmt.Errorf("write lease %s: %w", o.place(), err)
	}
	return obj, nil
}

// giveBackTime is how long a process that is being stopped tries to leave no lease
// behind.
const giveBackTime = 5 * time.Second

// giveBack releases what an acquisition that was stopped may have written. If it
// cannot, the lease expires.
func (a *acquirer) giveBack(ctx context.Context, wrote *content, sent Instant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTime)
	defer cancel()
	f, err := find(ctx, a.o.Store, a.o.Key)
	if err == nil && f != nil && f.ID == a.id && f.Counter == wrote.Counter {
		_ = hold(ctx, a.o, wrote, f.object.Pin, sent).Release(ctx)
	}
}
