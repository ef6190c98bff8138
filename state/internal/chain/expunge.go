package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sync/errgroup"
)

// Expunged says what was removed at once.
type Expunged struct {
	Collected
	Stubs int // entries of the log whose content was taken
	// Backups are the names of what lies below backups/, which is not touched.
	Backups []string
}

// Expunge takes at once, without waiting for the day, what may hold values that must
// not stay: the content of log entries at or below the newest checkpoint, which become
// stubs, the checkpoints below that, and objects that are not live. That checkpoint
// must stand at or above through, the record since which the state is without the
// values. Readers of what goes begin again. Versions that a bucket keeps are not
// touched.
func (c *Chain) Expunge(ctx context.Context, col Collection, through uint64) (*Expunged, error) {
	list, err := c.checkpointsUpTo(ctx, col.Head)
	if err != nil {
		return &Expunged{}, err
	}
	if len(list) == 0 || list[0].Serial < through {
		return &Expunged{}, fmt.Errorf("expunge what lies before record %d: no checkpoint of the state has it yet", through)
	}
	newest := list[0].Serial
	r := &remover{c: c}
	out := &Expunged{}
	if out.Stubs, err = r.stubs(ctx, newest); err == nil {
		err = r.checkpoints(ctx, list, newest)
	}
	if err == nil {
		err = r.objects(ctx, col, func(_ string, n objectName, _ time.Time) (bool, error) { return n.serial <= newest, nil })
	}
	if err == nil {
		out.Backups, err = c.place.backups(ctx)
	}
	out.Collected = *r.done()
	return out, err
}

// stubs replaces the content of log entries up to a serial.
func (r *remover) stubs(ctx context.Context, upTo uint64) (int, error) {
	list, err := r.c.place.list(ctx, logFolder)
	if err != nil {
		return 0, fmt.Errorf("list the log: %w", err)
	}
	done := make([]bool, len(list))
	warn := make([]error, len(list))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(removalsAtOnce)
	for i, o := range list {
		n, ok := parseLogKey(o.Key)
		if !ok || n > upTo {
			continue
		}
		g.Go(func() (err error) {
			done[i], err = r.c.place.replaceByStub(gctx, n)
			if isDamage(err) || errors.Is(err, fs.ErrPermission) {
				warn[i], err = err, nil
			}
			return err
		})
	}
	err = g.Wait()
	n := 0
	for i := range list {
		if done[i] {
			n++
		}
		if warn[i] != nil {
			r.out.Warnings = append(r.out.Warnings, fmt.Errorf("what %s holds cannot be taken: %w", list[i].Key, warn[i]))
		}
	}
	return n, err
}
