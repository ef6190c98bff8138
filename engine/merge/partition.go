package merge

import (
	"context"
	"errors"

	"reconcile/engine/rows"
)

// Partition reads the rows of one partition from all cursors in the order of
// (raw user, key) and hands those that are not dropped to emit. The cursors
// are closed.
func Partition(ctx context.Context, cursors []rows.Cursor, emit func(ch *rows.Chunk, i int) error) (err error) {
	defer func() {
		for _, c := range cursors {
			err = errors.Join(err, c.Close())
		}
	}()
	heads := make([]head, 0, len(cursors))
	for _, c := range cursors {
		h := head{cur: c}
		ok, err := h.fill(ctx)
		if err != nil {
			return err
		}
		if ok {
			heads = append(heads, h)
		}
	}
	order := make([]next, len(heads))
	for i := range heads {
		order[i] = heads[i].next()
	}
	for i := len(order)/2 - 1; i >= 0; i-- {
		sink(order, i)
	}
	for len(order) > 0 {
		h := order[0].head
		if h.chunk.Verdict(h.at) != rows.Drop {
			if err := emit(h.chunk, h.at); err != nil {
				return err
			}
		}
		ok, err := h.advance(ctx)
		if err != nil {
			return err
		}
		if ok {
			order[0] = h.next()
		} else {
			order[0] = order[len(order)-1]
			order = order[:len(order)-1]
		}
		sink(order, 0)
	}
	return nil
}

// next is what the order of heads depends on.
type next struct {
	raw, key int64 // of its next row
	head     *head
}

func (n *next) less(o *next) bool { return n.raw < o.raw || n.raw == o.raw && n.key < o.key }

// sink moves entry i of a heap down to where it belongs.
func sink(heap []next, i int) {
	for {
		least := 2*i + 1
		if least >= len(heap) {
			return
		}
		if r := least + 1; r < len(heap) && heap[r].less(&heap[least]) {
			least = r
		}
		if !heap[least].less(&heap[i]) {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}

// head is a cursor and its next row.
type head struct {
	cur   rows.Cursor
	chunk *rows.Chunk
	at    int
}

func (h *head) fill(ctx context.Context) (bool, error) {
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
	return h.fill(ctx)
}

func (h *head) next() next {
	r := &h.chunk.Rows[h.at]
	return next{r.Raw, r.Key, h}
}
