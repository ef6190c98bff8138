package write

import (
	"context"
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// BatchWriter takes the rows of one file in their order, a row group a call.
type BatchWriter interface {
	Write(ctx context.Context, b *column.Batch) error
}

// RowGroupBuilder gathers judged rows into the published columns and hands them on,
// a row group at a time. One goroutine uses it.
type RowGroupBuilder struct {
	Gatherer
	schema *decode.Schema
	canon  func(int64) int64
	dumps  []int64 // id by rank
	Group  int     // rows of a row group
	budget exec.Budget
	open   func() (BatchWriter, error)
	passed *exec.Stretch // is told of rows that are written

	w      BatchWriter
	Rows   int64
	Newest int // rank of the greatest dump of a row, -1 without rows
	layout *rules.Layout
	own    column.Batch // gathered columns
	shared bool         // own has dictionaries of sources
	view   column.Batch // those of the only source, with ours
	g      column.Gatherer
}

// Expect makes room for so many rows.
func (a *RowGroupBuilder) Expect(n int) {
	n = min(n, a.Group)
	a.Selection, a.Meta = slices.Grow(a.Selection, n), slices.Grow(a.Meta, n)
}

// AddRow takes row i of a chunk.
func (a *RowGroupBuilder) AddRow(ctx context.Context, ch *rows.Chunk, i int) error {
	if ch.Encoded() && int(ch.Rows[i].Size) > 2*a.budget.RowGroup() {
		return a.addLong(ctx, ch, i)
	}
	a.Gatherer.AddRow(ch, i)
	if a.Full(a.Group, a.budget) {
		return a.Flush(ctx)
	}
	return nil
}

// Flush writes what was gathered as one row group.
func (a *RowGroupBuilder) Flush(ctx context.Context) error {
	if len(a.Selection) == 0 {
		return a.Failed()
	}
	if a.w == nil {
		w, err := a.open()
		if err != nil {
			return err
		}
		a.w = w
	}
	if err := a.Resolve(); err != nil {
		return err
	}
	b, err := a.buildGroup()
	if err != nil {
		return err
	}
	if err := a.w.Write(ctx, b); err != nil {
		return err
	}
	a.Rows += int64(len(a.Selection))
	a.passed.Pass(len(a.Selection))
	a.Reset()
	return nil
}

// addLong takes a row that is too long to be held beside others, and writes it at once: by
// itself, while no other goroutine has one, or a large block.
func (a *RowGroupBuilder) addLong(ctx context.Context, ch *rows.Chunk, i int) error {
	if err := a.Flush(ctx); err != nil {
		return err
	}
	turn := a.budget.LargeBlockTurn()
	turn.Lock()
	defer turn.Unlock()
	a.Gatherer.AddRow(ch, i)
	err := a.Flush(ctx)
	a.Shrink()
	a.layout, a.own, a.view = nil, column.Batch{}, column.Batch{}
	return err
}

// buildGroup builds the published columns of the gathered rows.
func (a *RowGroupBuilder) buildGroup() (*column.Batch, error) {
	if a.layout == nil {
		a.layout = a.schema.Published()
		a.own.Cols, a.view.Cols = a.layout.NewColumns(), a.layout.NewColumns()
	}
	l, out := a.layout, &a.own
	if b := a.OnlySource(); b != nil {
		out = &a.view
		l.SetPayload(out.Cols, b.Cols)
	} else {
		into := a.Gatherer.OwnSource()
		for i := range a.schema.Payload {
			a.gather(&out.Cols[l.PayloadAt(i)], a.schema.Payload[i].Name, into)
		}
		a.shared = into >= 0
	}
	out.N = len(a.Selection)
	a.ids(&out.Cols[l.User], &out.Cols[l.Key], &out.Cols[l.RawUser], &out.Cols[l.Dump])
	return out, a.schema.Computations.Fill(out, &a.schema.Schema, l)
}

func (a *RowGroupBuilder) gather(dst *column.Column, name string, into int) {
	if a.shared {
		dst.Dict = nil // a source's
	}
	dst.Reset()
	a.g.ColumnInto(dst, a.Columns(name), a.Selection, into)
}

// ids fills the columns that rows know of themselves.
func (a *RowGroupBuilder) ids(user, key, raw, dump *column.Column) {
	for _, c := range []*column.Column{user, key, raw, dump} {
		c.Ints = slices.Grow(c.Ints[:0], len(a.Meta))
	}
	var last, to int64
	for i, r := range a.Meta {
		if i == 0 || r.Raw != last { // a user's rows lie together
			last, to = r.Raw, a.canon(r.Raw)
		}
		user.Ints = append(user.Ints, to)
		key.Ints = append(key.Ints, r.Key)
		raw.Ints = append(raw.Ints, r.Raw)
		rank := rules.DumpRank(r.Ver)
		a.Newest = max(a.Newest, rank)
		dump.Ints = append(dump.Ints, a.dumps[rank])
	}
}
