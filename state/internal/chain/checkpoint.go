package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"reconcile/internal/blob"
)

// Checkpoint is the whole state as of a record. Its content is the caller's, who
// must see that it is whole and is that of this position.
type Checkpoint struct {
	Position
	Key  string // in the store
	Size int64
	Time time.Time // when it was written, by the store's clock
}

// listCheckpoints lists the checkpoints, newest first. It costs one request.
func (c *Chain) listCheckpoints(ctx context.Context) ([]Checkpoint, error) {
	list, err := c.place.list(ctx, checkpointFolder)
	if err != nil {
		return nil, fmt.Errorf("list the checkpoints: %w", err)
	}
	return checkpoints(list), nil
}

// checkpoints picks the checkpoints from a listing and sorts them, newest first.
func checkpoints(list []blob.Object) []Checkpoint {
	var out []Checkpoint
	for _, o := range list {
		if p, ok := parseCheckpointKey(o.Key); ok {
			out = append(out, Checkpoint{Position: p, Key: o.Key, Size: o.Size, Time: o.ModTime})
		}
	}
	slices.SortStableFunc(out, func(a, b Checkpoint) int { return cmp.Compare(b.Serial, a.Serial) })
	return out
}

// OpenCheckpoint opens a checkpoint, which the caller closes. One that is gone, or
// is being rewritten, gives ErrBeginAgain; so does reading it, by blob.ErrConflict,
// which Load knows.
func (c *Chain) OpenCheckpoint(ctx context.Context, k Checkpoint) (blob.Handle, error) {
	h, err := c.place.store.Open(ctx, k.Key)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, blob.ErrConflict) {
		return nil, fmt.Errorf("checkpoint %d: %w", k.Serial, ErrBeginAgain)
	}
	return h, err
}

// DamagedCheckpoint is the error of a checkpoint that is not what was written.
func (c *Chain) DamagedCheckpoint(k Checkpoint, reason string) error {
	return c.place.damaged(k.Key, reason)
}

// PutCheckpoint writes the checkpoint of a position, unless there is one. An error
// says nothing of the chain: the next checkpoint does as well.
func (c *Chain) PutCheckpoint(ctx context.Context, p Position, r io.ReaderAt, size int64) error {
	if p.Serial == 0 {
		return errors.New("write a checkpoint: there is no record")
	}
	err := c.putCheckpoint(ctx, p, r, size, blob.Absent())
	if errors.Is(err, blob.ErrUnsupported) {
		err = c.putUnconditionally(ctx, p, r, size)
	}
	if err != nil && !errors.Is(err, blob.ErrConflict) {
		return fmt.Errorf("write the checkpoint of record %d: %w", p.Serial, err)
	}
	return nil
}

// putUnconditionally is for stores that keep conditions on single requests only, and
// a checkpoint that takes several. Nothing is lost: all that is ever written under
// its name is the same state.
func (c *Chain) putUnconditionally(ctx context.Context, p Position, r io.ReaderAt, size int64) error {
	if err := c.Try(ctx); err != nil {
		return err
	}
	if _, err := c.place.store.Stat(ctx, checkpointKey(p)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.putCheckpoint(ctx, p, r, size, blob.Cond{})
}

func (c *Chain) putCheckpoint(ctx context.Context, p Position, r io.ReaderAt, size int64, cond blob.Cond) error {
	return c.place.upload(ctx, checkpointKey(p), io.NewSectionReader(r, 0, size), size, cond)
}
