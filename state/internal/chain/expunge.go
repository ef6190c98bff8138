package chain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
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
		out.Backups, err = c.backups(ctx)
	}
	out.Collected = *r.done()
	return out, err
}

// stubs replaces the content of log entries up to a serial.
func (r *remover) stubs(ctx context.Context, upTo uint64) (int, error) {
	list, err := r.c.list(ctx, logFolder)
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
			done[i], err = r.c.replaceByStub(gctx, n)
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

// replaceByStub takes the content of one entry, unless it is gone or a stub.
func (c *Chain) replaceByStub(ctx context.Context, serial uint64) (bool, error) {
	rec, o, err := c.record(ctx, serial)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || rec.Stub {
		return false, err
	}
	data, err := encode(rec.stub())
	if err == nil {
		err = failpoint.Hit(ctx, failpoint.CollectRemove)
	}
	if err != nil {
		return false, err
	}
	if _, err := blob.Put(ctx, c.store, logKey(serial), data, blob.Match(o.Pin)); err != nil {
		return false, fmt.Errorf("take the content of record %d: %w", serial, err)
	}
	return true, nil
}

// backups lists the names of the backups.
func (c *Chain) backups(ctx context.Context) ([]string, error) {
	list, err := c.list(ctx, backupFolder)
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	var names []string
	for _, o := range list {
		name, _, _ := strings.Cut(strings.TrimPrefix(o.Key, backupFolder+"/"), "/")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names, nil
}
