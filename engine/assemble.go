package engine

import (
	"context"
	"slices"

	"reconcile/engine/rows"
	"reconcile/internal/column"
)

// batchWriter takes the rows of one file in their order, a row group a call.
type batchWriter interface {
	Write(ctx context.Context, b *column.Batch) error
}

// assembler gathers judged rows into the published columns and hands them on,
// a row group at a time. One goroutine uses it.
type assembler struct {
	schema *schema
	canon  func(int64) int64
	dumps  []int64 // id by rank
	group  int     // rows of a row group
	open   func() (batchWriter, error)

	w     batchWriter
	rows  int64
	picks []column.Pick
	meta  []rows.Row
	srcs  []*column.Batch
	out   column.Batch
	g     column.Gatherer
}

// expect makes room for so many rows.
func (a *assembler) expect(n int) {
	n = min(n, a.group)
	a.picks, a.meta = slices.Grow(a.picks, n), slices.Grow(a.meta, n)
}

// add takes row i of a chunk.
func (a *assembler) add(ctx context.Context, ch *rows.Chunk, i int) error {
	if n := len(a.srcs); n == 0 || a.srcs[n-1] != ch.Batch {
		a.srcs = append(a.srcs, ch.Batch)
	}
	r := ch.Rows[i]
	a.picks = append(a.picks, column.Pick{Src: uint32(len(a.srcs) - 1), Row: r.At})
	a.meta = append(a.meta, r)
	if len(a.picks) >= a.group {
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
	a.srcs = dedupSources(a.srcs, a.picks)
	a.fill()
	if err := a.w.Write(ctx, &a.out); err != nil {
		return err
	}
	a.rows += int64(len(a.picks))
	a.picks, a.meta = a.picks[:0], a.meta[:0]
	clear(a.srcs)
	a.srcs = a.srcs[:0]
	return nil
}

// dedupSources names each source batch once: interleaved cursors name them
// again and again.
func dedupSources(srcs []*column.Batch, picks []column.Pick) []*column.Batch {
	index := map[*column.Batch]uint32{}
	to := make([]uint32, len(srcs))
	uniq := srcs[:0:0]
	for i, s := range srcs {
		n, ok := index[s]
		if !ok {
			n = uint32(len(uniq))
			index[s] = n
			uniq = append(uniq, s)
		}
		to[i] = n
	}
	for i := range picks {
		picks[i].Src = to[picks[i].Src]
	}
	return uniq
}

// fill builds the published columns of the gathered rows.
func (a *assembler) fill() {
	s := a.schema
	if a.out.Cols == nil {
		a.out.Cols = s.published()
	}
	a.out.N = len(a.picks)
	for i := range a.out.Cols {
		a.out.Cols[i].Reset()
	}
	n := len(a.out.Cols)
	user, key, raw, dmp := &a.out.Cols[0], &a.out.Cols[1], &a.out.Cols[n-3], &a.out.Cols[n-2]
	for _, r := range a.meta {
		user.Ints = append(user.Ints, a.canon(r.Raw))
		key.Ints = append(key.Ints, r.Key)
		raw.Ints = append(raw.Ints, r.Raw)
		dmp.Ints = append(dmp.Ints, a.dumps[rows.DumpRank(r.Ver)])
	}
	last := len(s.payload) - 1
	for i := range s.payload[:last] {
		a.g.Column(&a.out.Cols[2+i], a.sources(s.payload[i].Name), a.picks)
	}
	a.g.Column(&a.out.Cols[n-1], a.sources(colRescued), a.picks)
}

func (a *assembler) sources(name string) []*column.Column {
	out := make([]*column.Column, len(a.srcs))
	for i, b := range a.srcs {
		out[i] = b.Col(name)
	}
	return out
}
