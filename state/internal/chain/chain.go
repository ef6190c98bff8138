package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// Retry says how long Append waits between its attempts: Wait before the
	// second one, doubled each time up to 5 s; 0 means 150 ms. Its Attempts are
	// not used: Append ends with its context or its lease.
	Retry blob.Retry
}

// Chain is the history of one state. Its methods can be used by several goroutines
// at once.
type Chain struct {
	store blob.Store
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
	return &Chain{store: store, o: o}
}

// Try finds out whether records can be appended here: whether the store can be
// written to and keeps conditions on what is written (blob.ErrUnsupported if not).
// It leaves nothing behind. A store that was tried is not tried again.
func (c *Chain) Try(ctx context.Context) error {
	w, err := c.store.Create(ctx, logKey(0), blob.Absent())
	if err != nil {
		return fmt.Errorf("try out %s: %w", c.store.Root(), err)
	}
	w.Abort()
	return nil
}

func (c *Chain) damaged(key, reason string) error {
	return &DamagedError{Place: c.store.Root(), Key: key, Reason: reason}
}

// record reads the record in a slot. It fails with fs.ErrNotExist where none is.
func (c *Chain) record(ctx context.Context, serial uint64) (*Record, blob.Object, error) {
	key := logKey(serial)
	data, o, err := c.readWhole(ctx, key)
	switch {
	case errors.Is(err, blob.ErrTooLarge):
		return nil, o, c.damaged(key, err.Error())
	case err != nil:
		return nil, o, fmt.Errorf("read the log: %w", err)
	}
	r, err := decode(data)
	var newer newerVersion
	switch {
	case errors.As(err, &newer):
		return nil, o, &NewerError{Place: c.store.Root(), Key: key, Found: int(newer)}
	case err != nil:
		return nil, o, c.damaged(key, err.Error())
	case r.Serial != serial:
		return nil, o, c.damaged(key, fmt.Sprintf("it holds the record with serial %d", r.Serial))
	}
	return r, o, nil
}

// wholeReader is a store that reads an object in one request, whatever its size.
type wholeReader interface {
	ReadWhole(ctx context.Context, key string, max int) ([]byte, blob.Object, error)
}

func (c *Chain) readWhole(ctx context.Context, key string) ([]byte, blob.Object, error) {
	if s, ok := c.store.(wholeReader); ok {
		return s.ReadWhole(ctx, key, maxRecord)
	}
	return blob.ReadAll(ctx, c.store, key, maxRecord)
}

// list lists a folder, which may be missing.
func (c *Chain) list(ctx context.Context, folder string) ([]blob.Object, error) {
	list, err := c.store.List(ctx, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// rangeLister is a store that lists a range of keys for the price of what is in it.
type rangeLister interface {
	ListRange(ctx context.Context, after, before string) ([]blob.Object, error)
}

// survey lists the checkpoints, newest first, and the serials at which something
// stands in the log, in one request per thousand where the store can. The lease,
// which lies between them, is passed over.
func (c *Chain) survey(ctx context.Context) (list []Checkpoint, serials []uint64, err error) {
	var found []blob.Object
	if s, ok := c.store.(rangeLister); ok {
		found, err = s.ListRange(ctx, checkpointFolder, logFolder+"0") // '0' follows '/'
	} else {
		found, err = c.list(ctx, checkpointFolder)
		if err == nil {
			var entries []blob.Object
			entries, err = c.list(ctx, logFolder)
			found = append(found, entries...)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list the log and its checkpoints: %w", err)
	}
	for _, o := range found {
		if n, ok := parseLogKey(o.Key); ok {
			serials = append(serials, n)
		}
	}
	return checkpoints(found), serials, nil
}

// wait waits before the attempt after n failed ones, unless the context ends.
func (c *Chain) wait(ctx context.Context, n int) {
	const longest = 5 * time.Second
	d := longest
	if n < 10 {
		d = min(d, c.o.Retry.Wait<<(n-1))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
