package chain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
)

// Remains is what stands in the place of a chain that cannot be read.
type Remains struct {
	// Top is the highest slot at which anything stands. Its digest is that of the bytes
	// there.
	Top         Position
	Records     []*Record    // those that can be read, in order
	Checkpoints []Checkpoint // newest first; not proved
}

// Remains looks at all entries of the log, for who puts a record behind them whatever
// they are: readers find it by a checkpoint of it, which has to be written at once.
func (c *Chain) Remains(ctx context.Context) (*Remains, error) {
	rem := &Remains{}
	var err error
	if rem.Checkpoints, err = c.listCheckpoints(ctx); err != nil {
		return nil, err
	}
	entries, err := c.place.list(ctx, logFolder)
	if err != nil {
		return nil, fmt.Errorf("list the log: %w", err)
	}
	records := make([]*Record, len(entries))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(removalsAtOnce)
	for i, o := range entries {
		serial, ok := parseLogKey(o.Key)
		if !ok {
			continue
		}
		rem.Top.Serial = max(rem.Top.Serial, serial)
		g.Go(func() error {
			r, _, err := c.place.record(gctx, serial)
			if isDamage(err) || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			records[i] = r
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, r := range records {
		if r != nil {
			rem.Records = append(rem.Records, r)
		}
	}
	return rem, rem.digestTop(ctx, c)
}

// digestTop finds the digest of what stands highest.
func (rem *Remains) digestTop(ctx context.Context, c *Chain) error {
	if len(rem.Checkpoints) > 0 && rem.Checkpoints[0].Serial > rem.Top.Serial {
		rem.Top = rem.Checkpoints[0].Position
		return nil
	}
	if n := len(rem.Records); n > 0 && rem.Records[n-1].Serial == rem.Top.Serial {
		rem.Top = rem.Records[n-1].Position()
		return nil
	}
	if rem.Top.Serial == 0 {
		return nil
	}
	data, _, err := blob.ReadAll(ctx, c.place.store, logKey(rem.Top.Serial), 2*maxRecord)
	switch {
	case errors.Is(err, blob.ErrTooLarge) || errors.Is(err, fs.ErrNotExist):
		return nil // no record is so large: there is nothing to go by
	case err != nil:
		return fmt.Errorf("read the log: %w", err)
	}
	rem.Top.Digest = sha256.Sum256(data)
	return nil
}
