package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
)

// Collection is what collecting goes by.
type Collection struct {
	// Head is the caller's last record, which is committed. Nobody else appends.
	Head Position
	// Generation is that of the lease that the caller holds.
	Generation uint64
	// Live reports whether the state as of Head names an object, or this process
	// has written it and will name it. It is called by one goroutine.
	Live func(name string) bool
	// Then returns what an old checkpoint says of objects: named reports whether it
	// names one, or a record behind it may have done so. Collect calls it once at
	// most, and only if there is an object that is not live. Expunge does not.
	Then func(ctx context.Context, k Checkpoint) (named func(name string) bool, err error)
}

// Collected says what was removed.
type Collected struct {
	Removed int // entries, checkpoints and objects
	// Warnings are removals that the store refused; the next run tries them again.
	Warnings []error
}

// Collect removes what no reader needs any more. A checkpoint is old when it was
// written more than a day ago by the store's clock. Who began to read before it was
// written has had a day, and who began after that begins at or above it. So:
//
//   - Of the newest old checkpoint, with the next one below it: log entries at or
//     below the lower one, and checkpoints below that. Two are kept in any case, and
//     the log from the lower one on.
//   - The payload objects of the records at or below that lower one.
//   - An object that is not live, was written more than a day ago, and is not named
//     by the newest old checkpoint, nor can be by a record behind it: if it was ever
//     named, that ended before that checkpoint, more than a day ago. No later record
//     names it: the holder of the lease makes them, and its own are live.
//
// It fails with ErrBeginAgain, and removes nothing, when a checkpoint stands above
// the head: the lease is lost.
func (c *Chain) Collect(ctx context.Context, col Collection) (*Collected, error) {
	list, err := c.checkpointsUpTo(ctx, col.Head)
	if err != nil || len(list) == 0 {
		return &Collected{}, err
	}
	// The checkpoints were listed before: none of them is younger than now.
	o, err := c.place.store.Stat(ctx, list[0].Key)
	if err != nil {
		return &Collected{}, fmt.Errorf("ask for the store's clock: %w", err)
	}
	if o.Now.IsZero() {
		return &Collected{Warnings: []error{fmt.Errorf("%s does not say what its clock is: nothing of the state is collected", c.place.store.Root())}}, nil
	}
	old := func(t time.Time) bool { return !t.IsZero() && o.Now.Sub(t) > c.o.Day }
	vouch, keep := pair(list, old)
	r := &remover{c: c}
	if keep > 0 {
		if err := r.history(ctx, list, keep); err != nil {
			return r.done(), err
		}
	}
	then := newestOld{col: col, list: list, vouch: vouch}
	err = r.objects(ctx, col, func(name string, n objectName, written time.Time) (bool, error) {
		if n.serial > 0 || !old(written) {
			return n.serial > 0 && n.serial <= keep, nil
		}
		named, err := then.names(ctx, name)
		return !named, err
	})
	return r.done(), err
}

// newestOld is the newest old checkpoint, which is asked about objects.
type newestOld struct {
	col   Collection
	list  []Checkpoint
	vouch uint64 // its serial, zero if there is none
	named func(name string) bool
}

func (o *newestOld) names(ctx context.Context, name string) (bool, error) {
	if o.vouch == 0 {
		return true, nil
	}
	if o.named == nil {
		i := slices.IndexFunc(o.list, func(k Checkpoint) bool { return k.Serial == o.vouch })
		var err error
		if o.named, err = o.col.Then(ctx, o.list[i]); err != nil {
			return true, fmt.Errorf("ask checkpoint %d about objects: %w", o.vouch, err)
		}
	}
	return o.named(name), nil
}

// checkpointsUpTo lists the checkpoints, none of which is above the head.
func (c *Chain) checkpointsUpTo(ctx context.Context, head Position) ([]Checkpoint, error) {
	list, err := c.listCheckpoints(ctx)
	if err == nil && len(list) > 0 && list[0].Serial > head.Serial {
		err = fmt.Errorf("checkpoint %d stands above record %d: %w", list[0].Serial, head.Serial, ErrBeginAgain)
	}
	return list, err
}

// pair returns the newest serial whose checkpoints are all old, and the next one
// below, zero where there is none.
func pair(list []Checkpoint, old func(time.Time) bool) (vouch, keep uint64) {
	young := uint64(0)
	for _, k := range list {
		switch {
		case vouch > 0 && k.Serial < vouch:
			return vouch, k.Serial
		case !old(k.Time):
			vouch, young = 0, k.Serial
		case k.Serial != young:
			vouch = k.Serial
		}
	}
	return vouch, 0
}

// remover removes things and counts.
type remover struct {
	c       *Chain
	removed atomic.Int64
	out     Collected
}

func (r *remover) done() *Collected {
	r.out.Removed = int(r.removed.Load())
	return &r.out
}

// history removes log entries up to a serial and the checkpoints below it.
func (r *remover) history(ctx context.Context, list []Checkpoint, keep uint64) error {
	entries, err := r.c.place.list(ctx, logFolder)
	if err != nil {
		return fmt.Errorf("list the log: %w", err)
	}
	var keys []string
	for _, o := range entries {
		if n, ok := parseLogKey(o.Key); ok && n <= keep {
			keys = append(keys, o.Key)
		}
	}
	if err := r.remove(ctx, "entries of the log", keys); err != nil {
		return err
	}
	return r.checkpoints(ctx, list, keep)
}

// checkpoints removes those below a serial.
func (r *remover) checkpoints(ctx context.Context, list []Checkpoint, keep uint64) error {
	var keys []string
	for _, k := range list {
		if k.Serial < keep {
			keys = append(keys, k.Key)
		}
	}
	return r.remove(ctx, "checkpoints", keys)
}

// objects removes those that are not live and that goes picks. It leaves alone what
// is of a greater generation, and what has no name of ours.
func (r *remover) objects(ctx context.Context, col Collection, goes func(name string, n objectName, written time.Time) (bool, error)) error {
	list, err := r.c.place.list(ctx, objectFolder)
	if err != nil {
		return fmt.Errorf("list the objects of the state: %w", err)
	}
	var keys []string
	for _, o := range list {
		name := o.Key[len(objectFolder)+1:]
		n, ok := parseObjectName(name)
		if !ok || n.generation > col.Generation || col.Live(name) {
			continue
		}
		if ok, err = goes(name, n, o.ModTime); err != nil {
			return err
		}
		if ok {
			keys = append(keys, o.Key)
		}
	}
	return r.remove(ctx, "objects", keys)
}

// removalsAtOnce hides the latency of the store.
const removalsAtOnce = 16

// remove removes keys. Refusals become one warning.
func (r *remover) remove(ctx context.Context, what string, keys []string) error {
	var refused atomic.Int64
	var first atomic.Pointer[error]
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(removalsAtOnce)
	for _, key := range keys {
		g.Go(func() error {
			err := failpoint.Hit(gctx, failpoint.CollectRemove)
			if err == nil {
				err = r.c.place.store.Delete(gctx, key, blob.Cond{})
			}
			switch {
			case err == nil:
				r.removed.Add(1)
			case errors.Is(err, fs.ErrNotExist):
			case errors.Is(err, fs.ErrPermission):
				refused.Add(1)
				first.CompareAndSwap(nil, &err)
			default:
				return fmt.Errorf("collect %s of the state: %w", what, err)
			}
			return nil
		})
	}
	err := g.Wait()
	if n := refused.Load(); n > 0 {
		r.out.Warnings = append(r.out.Warnings, fmt.Errorf("%d %s of the state cannot be removed: %w", n, what, *first.Load()))
	}
	return err
}
