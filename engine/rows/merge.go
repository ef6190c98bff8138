package rows

import (
	"context"
	"errors"

	"reconcile/engine/rules"
	"reconcile/internal/heaps"
)

// Merge reads the rows of one partition from all cursors in the order of
// (raw user, key) and hands those that are not dropped to emit. The cursors
// are closed.
func Merge(ctx context.Context, cursors []Cursor, emit func(ch *Chunk, i int) error) (err error) {
	defer func() {
		for _, c := range cursors {
			err = errors.Join(err, c.Close())
		}
	}()
	heads := make([]head, 0, len(cursors))
	for _, c := range cursors {
		h := head{cur: c}
		ok, err := h.fillChunk(ctx)
		if err != nil {
			return err
		}
		if ok {
			heads = append(heads, h)
		}
	}
	order := make([]heaps.Item, len(heads))
	for i := range heads {
		order[i] = heads[i].item(i)
	}
	heaps.Make(order)
	for len(order) > 0 {
		h := &heads[order[0].Of]
		if h.chunk.Verdict(h.at) != rules.Drop {
			if err := emit(h.chunk, h.at); err != nil {
				return err
			}
		}
		ok, err := h.advance(ctx)
		if err != nil {
			return err
		}
		if !ok {
			order = heaps.Pop(order)
			continue
		}
		order[0] = h.item(order[0].Of)
		heaps.Fix(order)
	}
	return nil
}

// head is a cursor and its next row.
type head struct {
	cur   Cursor
	chunk *Chunk
	at    int
}

func (h *head) fillChunk(ctx context.Context) (bool, error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		ch, err := h.cur.Next(ctx)
		if err != nil || ch == nil {
			return false, err
		}
		if len(ch.Rows) > 0 {
			h.chunk, h.at = ch, 0
			return true, nil
		}
	}
}

func (h *head) advance(ctx context.Context) (bool, error) {
	if h.at++; h.at < len(h.chunk.Rows) {
		return true, nil
	}
	return h.fillChunk(ctx)
}

// item is head i in a heap: ordered by its next row.
func (h *head) item(i int) heaps.Item {
	r := &h.chunk.Rows[h.at]
	return heaps.Item{High: r.Raw, Low: r.Key, Of: i}
}
