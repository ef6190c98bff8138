package chain

import (
	"context"
	"fmt"
	"time"

	"reconcile/internal/blob"
)

// Options say how a chain is kept. The zero Options are right for all but tests.
type Options struct {
	// Dir is the folder for objects that are being written, which must exist;
	// empty means that of the system for temporary files.
	Dir string
	// Day is how old a checkpoint must be to vouch for what lies below it; 0
	// means 24 hours. It must be longer than any reader takes.
	Day time.Duration
	// Format is the newest of records that are read; 0 stands for the first one.
	Format uint32
	// Retry says how long Append waits between its attempts: Wait before the
	// second one, doubled each time up to 5 s; 0 means 150 ms. Its Attempts are
	// not used: Append ends with its context or its lease.
	Retry blob.Retry
}

// Chain is the history of one state. Its methods can be used by several goroutines
// at once.
type Chain struct {
	place place
	o     Options
}

// New returns the chain in a store whose root is the state's own. It sends no
// request. The store must find an object as soon as it was written: one with a
// time of grace costs each look at the head that time.
func New(store blob.Store, o Options) *Chain {
	if o.Day <= 0 {
		o.Day = 24 * time.Hour
	}
	if o.Retry.Wait <= 0 {
		o.Retry.Wait = 150 * time.Millisecond
	}
	return &Chain{place: place{store, o.Format}, o: o}
}

// Try finds out whether records can be appended here: whether the store can be
// written to and keeps conditions on what is written (blob.ErrUnsupported if not).
// It leaves nothing behind. A store that was tried is not tried again.
func (c *Chain) Try(ctx context.Context) error {
	w, err := c.place.store.Create(ctx, logKey(0), blob.Absent())
	if err != nil {
		return fmt.Errorf("try out %s: %w", c.place.store.Root(), err)
	}
	w.Abort()
	return nil
}
