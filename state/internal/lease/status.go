package lease

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
)

// Status is a lease as it was read.
type Status struct {
	State      State
	ID         string
	Holder     Holder // the last one, if it is not held
	Generation uint64
	TTL        time.Duration
	Margin     time.Duration // what a waiter adds to the TTL
	FenceOwed  bool
	// Age is how long ago the lease was last renewed or, if it is released, that was
	// done; by the store's clock, which on S3 has whole seconds. It means nothing
	// while Now is zero.
	Age time.Duration
	// Now is the store's clock when it answered; zero if it does not tell.
	Now time.Time
	// Expired says that TTL and margin have passed: who acquires it now has it.
	Expired bool
}

// Show reads a lease. It returns nil when there is none, and fails with a
// *DamagedError when something else stands in its place.
func Show(ctx context.Context, s blob.Store, key string) (*Status, error) {
	f, err := find(ctx, s, key)
	if err != nil || f == nil {
		return nil, err
	}
	return f.status(DefaultMargin), nil
}

// found is a lease as it stands in the store.
type found struct {
	content
	object blob.Object
	place  string
}

// maxSize is more than any lease has.
const maxSize = 64 << 10

// find reads the lease by one request, whose answer has the object's times, too.
// It returns nil if there is none.
func find(ctx context.Context, s blob.Store, key string) (*found, error) {
	place := s.Root() + "/" + key
	data, o, err := blob.ReadAll(ctx, s, key, maxSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, blob.ErrTooLarge):
		return nil, &DamagedError{Place: place, Reason: fmt.Sprintf("it has %s", amount.Of(o.Size, "byte")), ID: o.Pin}
	case err != nil:
		return nil, fmt.Errorf("read lease %s: %w", place, err)
	}
	c, err := decode(data)
	if err != nil {
		return nil, &DamagedError{Place: place, Reason: err.Error(), ID: o.Pin}
	}
	return &found{content: *c, object: o, place: place}, nil
}

// renewed returns when the holder wrote the lease last, by the store's clock.
func (f *found) renewed() time.Time {
	if f.State == Forced {
		return *f.Renewed
	}
	return f.object.ModTime
}

// expired reports whether more than the TTL and the margin have passed. A time in
// whole seconds can be as much as a second earlier than what it stands for. By the
// clock of a store that does not tell its time, nothing ever expires.
func (f *found) expired(margin time.Duration) bool {
	latest := f.renewed()
	if latest.Nanosecond() == 0 {
		latest = latest.Add(time.Second - 1)
	}
	return f.object.Now.Sub(latest) > f.ttl()+margin
}

func (f *found) status(margin time.Duration) *Status {
	s := &Status{State: f.State, ID: f.ID, Holder: f.Holder, Generation: f.Generation, TTL: f.ttl(), Margin: margin,
		FenceOwed: f.Fence || f.State == Forced, Now: f.object.Now}
	if !s.Now.IsZero() {
		s.Age = max(0, s.Now.Sub(f.renewed()))
	}
	s.Expired = f.State != Released && f.expired(margin)
	return s
}
