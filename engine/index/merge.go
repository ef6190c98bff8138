package index

import (
	"context"
	"errors"
	"io"

	"reconcile/internal/heaps"
)

// mergeRuns adds the entries of all runs to w in order, without duplicates. keep,
// unless nil, tells which of them stay; leaving out an entry that B still needs
// is corruption. It does not close w.
func mergeRuns(ctx context.Context, w *Writer, runs []*Run, keep func(Entry) bool) error {
	cursors, h, err := newCursors(ctx, runs)
	if err != nil {
		return err
	}
	for len(h) > 0 {
		c := &cursors[h[0].Of]
		if e := c.entries[0]; keep == nil || keep(e) {
			if err := w.Add(e); err != nil {
				return err
			}
		}
		if c.entries = c.entries[1:]; len(c.entries) == 0 {
			c.entries, err = c.scan.Next(ctx)
			if errors.Is(err, io.EOF) {
				h = heaps.Pop(h)
				continue
			}
			if err != nil {
				return err
			}
		}
		h[0] = c.item(h[0].Of)
		heaps.Fix(h)
	}
	return nil
}

// cursor is a run that is being merged; entries is never empty.
type cursor struct {
	scan    *Scanner
	entries []Entry
}

// item is cursor i in a heap: ordered by its first entry, as Compare does.
func (c *cursor) item(i int) heaps.Item {
	e := c.entries[0]
	return heaps.Item{High: e.Raw, Low: int64(e.place() ^ 1<<63), Of: i}
}

// newCursors returns cursors of the runs that are not empty, and a heap of them.
func newCursors(ctx context.Context, runs []*Run) (cursors []cursor, h []heaps.Item, err error) {
	for _, r := range runs {
		s := r.Scan()
		e, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		cursors = append(cursors, cursor{s, e})
		h = append(h, cursors[len(cursors)-1].item(len(cursors)-1))
	}
	heaps.Make(h)
	return cursors, h, nil
}
