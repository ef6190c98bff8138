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

// GroupWriter is a BatchWriter that need not have all columns of a row group at once.
type GroupWriter interface {
	BatchWriter
	// WriteColumns writes a row group of n rows of which one column is at hand at a time, as
	// sinks.Copier says.
	WriteColumns(ctx context.Context, n int, next func(i int) (*column.Column, error)) error
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
	open   func() (GroupWriter, error)
	passed *exec.Stretch // is told of rows that are written

	w      GroupWriter
	Rows   int64
	Newest int // rank of the greatest dump of a row, -1 without rows
	layout *rules.Layout
	own    column.Batch // gathered columns
	shared bool         // own has dictionaries of sources
	view   column.Batch // those of the only source, with ours
	g      column.Gatherer
	wide   *wideRows // in place of what the gatherer has, of a table with very many columns
}

// Expect makes room for so many rows.
func (a *RowGroupBuilder) Expect(n int) {
	if a.wide != nil {
		return
	}
	n = min(n, a.Group)
	a.Selection, a.Meta = slices.Grow(a.Selection, n), slices.Grow(a.Meta, n)
}

// AddRow takes row i of a chunk.
func (a *RowGroupBuilder) AddRow(ctx context.Context, ch *rows.Chunk, i int) error {
	if ch.Encoded() && int(ch.Rows[i].Size) > 2*a.budget.RowGroup() {
		return a.addLong(ctx, ch, i)
	}
	if err := a.take(ch, i); err != nil {
		return err
	}
	if a.Full(a.Group, a.budget) || a.wide != nil && a.wide.full(a.Group, a.budget) {
		return a.Flush(ctx)
	}
	return nil
}

func (a *RowGroupBuilder) take(ch *rows.Chunk, i int) error {
	if a.wide != nil {
		return a.addWide(ch, i)
	}
	a.Gatherer.AddRow(ch, i)
	return nil
}

// waiting is how many rows wait for a row group.
func (a *RowGroupBuilder) waiting() int {
	if a.wide != nil {
		return len(a.wide.meta)
	}
	return len(a.Selection)
}

// Few reports whether rows wait that are too few for a row group of their own.
func (a *RowGroupBuilder) Few() bool {
	n := a.waiting()
	if a.wide != nil {
		return n > 0 && a.wide.bytes < a.budget.FileRowGroup()/fewOfGroup
	}
	return n > 0 && n < a.Group/fewOfGroup
}

// fewOfGroup is the part of a row group that few rows are less than.
const fewOfGroup = 4

// Flush writes what was gathered as one row group.
func (a *RowGroupBuilder) Flush(ctx context.Context) error {
	n := a.waiting()
	if n == 0 {
		return a.Failed()
	}
	if a.w == nil {
		w, err := a.open()
		if err != nil {
			return err
		}
		a.w = w
	}
	if err := a.write(ctx); err != nil {
		return err
	}
	a.Rows += int64(n)
	a.passed.Pass(n)
	a.Reset()
	if a.wide != nil {
		a.wide.reset()
	}
	return nil
}

// write writes the rows that wait.
func (a *RowGroupBuilder) write(ctx context.Context) error {
	if a.wide != nil {
		return a.flushWide(ctx)
	}
	if err := a.Resolve(); err != nil {
		return err
	}
	b, err := a.buildGroup()
	if err != nil {
		return err
	}
	return a.w.Write(ctx, b)
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
	err := a.take(ch, i)
	if err == nil {
		err = a.Flush(ctx)
	}
	a.Shrink()
	a.layout, a.own, a.view = nil, column.Batch{}, column.Batch{}
	return err
}

// buildGroup builds the published columns of the gathered rows.
func (a *RowGroupBuilder) buildGroup() (*column.Batch, error) {
	l, out := a.useLayout(), &a.own
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
	a.ids(a.Meta, &out.Cols[l.User], &out.Cols[l.Key], &out.Cols[l.RawUser], &out.Cols[l.Dump])
	return out, a.schema.Computations.Fill(out, &a.schema.Schema, l)
}

// useLayout returns the layout of what is published, for which there are columns then.
func (a *RowGroupBuilder) useLayout() *rules.Layout {
	if a.layout == nil {
		a.layout = a.schema.Published()
		a.own.Cols = a.layout.NewColumns()
		if a.wide == nil {
			a.view.Cols = a.layout.NewColumns()
		}
	}
	return a.layout
}

func (a *RowGroupBuilder) gather(dst *column.Column, name string, into int) {
	if a.shared {
		dst.Dict = nil // a source's
	}
	dst.Reset()
	a.g.ColumnInto(dst, a.Columns(name), a.Selection, into)
}

// ids fills the columns that rows know of themselves.
func (a *RowGroupBuilder) ids(meta []rules.Row, user, key, raw, dump *column.Column) {
	for _, c := range []*column.Column{user, key, raw, dump} {
		c.Ints = slices.Grow(c.Ints[:0], len(meta))
	}
	var last, to int64
	for i, r := range meta {
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
