package engine

import (
	"context"
	"slices"

	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// batchWriter takes the rows of one file in their order, a row group a call.
type batchWriter interface {
	Write(ctx context.Context, b *column.Batch) error
}

// assembler gathers judged rows into the published columns and hands them on,
// a row group at a time. One goroutine uses it.
type assembler struct {
	picker
	schema *schema
	canon  func(int64) int64
	dumps  []int64 // id by rank
	group  int     // rows of a row group
	// groupBytes is how many bytes of records may wait for one.
	groupBytes int
	open       func() (batchWriter, error)

	w      batchWriter
	rows   int64
	newest int // rank of the greatest dump of a row, -1 without rows
	layout *rules.Layout
	own    column.Batch // gathered columns
	lent   bool         // own has dictionaries of sources
	view   column.Batch // those of the only source, with ours
	g      column.Gatherer
}

// expect makes room for so many rows.
func (a *assembler) expect(n int) {
	n = min(n, a.group)
	a.picks, a.meta = slices.Grow(a.picks, n), slices.Grow(a.meta, n)
}

// add takes row i of a chunk.
func (a *assembler) add(ctx context.Context, ch *rows.Chunk, i int) error {
	a.picker.add(ch, i)
	if len(a.picks) >= a.group || a.bytes >= a.groupBytes {
		return a.flush(ctx)
	}
	return nil
}

// flush writes what was gathered as one row group.
func (a *assembler) flush(ctx context.Context) error {
	if len(a.picks) == 0 {
		return nil
	}
	if a.w == nil {
		w, err := a.open()
		if err != nil {
			return err
		}
		a.w = w
	}
	if err := a.settle(); err != nil {
		return err
	}
	b, err := a.fill()
	if err != nil {
		return err
	}
	if err := a.w.Write(ctx, b); err != nil {
		return err
	}
	a.rows += int64(len(a.picks))
	a.reset()
	return nil
}

// fill builds the published columns of the gathered rows.
func (a *assembler) fill() (*column.Batch, error) {
	if a.layout == nil {
		a.layout = a.schema.Published()
		a.own.Cols, a.view.Cols = a.layout.NewColumns(), a.layout.NewColumns()
	}
	l, out := a.layout, &a.own
	if b := a.straight(); b != nil {
		out = &a.view
		l.SetPayload(out.Cols, b.Cols)
	} else {
		into := a.picker.own()
		for i := range a.schema.Payload {
			a.gather(&out.Cols[l.PayloadAt(i)], a.schema.Payload[i].Name, into)
		}
		a.lent = into >= 0
	}
	out.N = len(a.picks)
	a.ids(&out.Cols[l.User], &out.Cols[l.Key], &out.Cols[l.RawUser], &out.Cols[l.Dump])
	return out, a.schema.compute.Fill(out, &a.schema.Schema, l)
}

func (a *assembler) gather(dst *column.Column, name string, into int) {
	if a.lent {
		dst.Dict = nil // a source's
	}
	dst.Reset()
	a.g.ColumnInto(dst, a.columns(name), a.picks, into)
}

// ids fills the columns that rows know of themselves.
func (a *assembler) ids(user, key, raw, dump *column.Column) {
	for _, c := range []*column.Column{user, key, raw, dump} {
		c.Ints = slices.Grow(c.Ints[:0], len(a.meta))
	}
	var last, to int64
	for i, r := range a.meta {
		if i == 0 || r.Raw != last { // a user's rows lie together
			last, to = r.Raw, a.canon(r.Raw)
		}
		user.Ints = append(user.Ints, to)
		key.Ints = append(key.Ints, r.Key)
		raw.Ints = append(raw.Ints, r.Raw)
		rank := rows.DumpRank(r.Ver)
		a.newest = max(a.newest, rank)
		dump.Ints = append(dump.Ints, a.dumps[rank])
	}
}
