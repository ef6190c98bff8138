package merge

import (
	"cmp"
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
	for i := len(heads)/2 - 1; i >= 0; i-- {
		sink(heads, i)
	}
	for len(heads) > 0 {
		h := &heads[0]
		if h.chunk.Verdict(h.at) != rows.Drop {
			if err := emit(h.chunk, h.at); err != nil {
				return err
			}
		}
		ok, err := h.advance(ctx)
		if err != nil {
			return err
		}
		if !ok {
			heads[0] = heads[len(heads)-1]
			heads = heads[:len(heads)-1]
		}
		sink(heads, 0)
	}
	return nil
}

// sink moves head i of a heap down to where it belongs.
func sink(heads []head, i int) {
	for {
		least := 2*i + 1
		if least >= len(heads) {
			return
		}
		if r := least + 1; r < len(heads) && heads[r].less(&heads[least]) {
			least = r
		}
		if !heads[least].less(&heads[i]) {
			return
		}
		heads[i], heads[least] = heads[least], heads[i]
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

func (h *head) less(o *head) bool {
	a, b := &h.chunk.Rows[h.at], &o.chunk.Rows[o.at]
	if a.Raw != b.Raw {
		return a.Raw < b.Raw
	}
	return cmp.Less(a.Key, b.Key)
}
