package rows

import (
	"context"
	"errors"

	"reconcile/internal/column"
)

// Spooled is a cursor over the rows of another one that wait in a scratch file: where many
// cursors are merged, of which each holds much while it reads, only the one does that is
// asked first. The file is there from the first Next to Close.
type Spooled struct {
	From    Cursor // over rows of Part with the values of Columns, or with a batch of these
	Part    int64
	Rows    int // at most
	Columns []column.Column
	Dir     string
	Block   ScratchBlock

	segment *Segment
	rows    Cursor
}

// Next implements Cursor.
func (c *Spooled) Next(ctx context.Context) (*Chunk, error) {
	if c.segment == nil {
		if err := c.spool(ctx); err != nil {
			return nil, err
		}
	}
	if c.rows == nil {
		return nil, nil
	}
	return c.rows.Next(ctx)
}

func (c *Spooled) spool(ctx context.Context) error {
	w := scratchWriter{most: c.Block}
	if err := w.begin(c.Dir, c.Columns, false); err != nil {
		return scratchError(c.Dir, err)
	}
	c.segment = &Segment{Verdicts: NewVerdicts(c.Rows), scratch: w.file}
	for {
		ch, err := c.From.Next(ctx)
		if err != nil {
			return err
		}
		if ch == nil {
			break
		}
		for i := range ch.Rows {
			if err := c.segment.write(ctx, &w, ch, i); err != nil {
				return scratchError(c.Dir, err)
			}
		}
	}
	if err := w.flush(ctx); err != nil {
		return scratchError(c.Dir, err)
	}
	c.segment.endPart(c.Part, 0)
	c.rows = c.segment.Open(c.Part)
	err := c.From.Close() // it may hold much
	c.From = nil
	return err
}

// Close implements Cursor.
func (c *Spooled) Close() error {
	var errs []error
	if c.From != nil {
		errs = append(errs, c.From.Close())
	}
	if c.segment != nil {
		errs = append(errs, c.segment.Close())
	}
	return errors.Join(errs...)
}
