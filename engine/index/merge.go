package index

import (
	"context"
	"errors"
	"io"
)

// Merge adds the entries of all runs to w in order, without duplicates. keep,
// unless nil, tells which of them stay; leaving out an entry that B still needs
// is corruption. It does not close w.
func Merge(ctx context.Context, w *Writer, runs []*Run, keep func(Entry) bool) error {
	h, err := newHeads(ctx, runs)
	if err != nil {
		return err
	}
	for len(h) > 0 {
		c := h[0]
		if e := c.entries[0]; keep == nil || keep(e) {
			if err := w.Add(e); err != nil {
				return err
			}
		}
		if c.entries = c.entries[1:]; len(c.entries) == 0 {
			if h, err = h.refill(ctx); err != nil {
				return err
			}
		}
		h.down(0)
	}
	return nil
}

// cursor is a run that is being merged; entries is never empty.
type cursor struct {
	scan    *Scanner
	entries []Entry
}

// heads is a heap of cursors by their first entry.
type heads []*cursor

func newHeads(ctx context.Context, runs []*Run) (heads, error) {
	var h heads
	for _, r := range runs {
		s := r.Scan()
		e, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		h = append(h, &cursor{s, e})
	}
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	return h, nil
}

// refill gives the first cursor its next block, or removes it at its end.
func (h heads) refill(ctx context.Context) (heads, error) {
	e, err := h[0].scan.Next(ctx)
	if errors.Is(err, io.EOF) {
		h[0] = h[len(h)-1]
		return h[:len(h)-1], nil
	}
	h[0].entries = e
	return h, err
}

func (h heads) down(i int) {
	for {
		k := 2*i + 1
		if k >= len(h) {
			return
		}
		if k+1 < len(h) && Compare(h[k+1].entries[0], h[k].entries[0]) < 0 {
			k++
		}
		if Compare(h[i].entries[0], h[k].entries[0]) <= 0 {
			return
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}
