package column

import "slices"

// SourceRow names one row of one of several source batches.
type SourceRow struct {
	Src, Row uint32
}

// Gatherer copies selected rows of several sources into one column. It keeps
// scratch memory between calls; one goroutine may use it at a time.
type Gatherer struct {
	remap    []remap
	epoch    uint32
	selected []int // rows, by source
}

// remap translates the codes of one source dictionary; an entry holds the
// epoch that wrote it above the code, so that nothing needs clearing.
type remap []uint64

// Column appends the selected rows to dst, whose Type must be that of every
// source. srcs has an entry for every Src of the selection; nil reads as null.
func (g *Gatherer) Column(dst *Column, srcs []*Column, selection []SourceRow) {
	g.ColumnInto(dst, srcs, selection, -1)
}

// ColumnInto is Column for a dst that is empty. If its values have a dictionary,
// it becomes that of source into, unless into is -1 or that source is nil: the
// values of this source need not be looked up again. Others are added, which
// leaves the source as it is for who reads it.
func (g *Gatherer) ColumnInto(dst *Column, srcs []*Column, selection []SourceRow, into int) {
	switch dst.Type.Kind() {
	case KindInt64:
		dst.Ints = gather(dst, dst.Ints, srcs, selection, func(c *Column) []int64 { return c.Ints })
	case KindDouble:
		dst.Floats = gather(dst, dst.Floats, srcs, selection, func(c *Column) []float64 { return c.Floats })
	default:
		if into >= 0 && srcs[into] == nil {
			into = -1
		}
		if into >= 0 {
			dst.Dict = srcs[into].Dict
		}
		g.codes(dst, srcs, selection, into)
	}
}

// Select returns a batch of copies of some rows of b.
func (b *Batch) Select(rows []SourceRow) *Batch {
	out := &Batch{N: len(rows), Cols: make([]Column, len(b.Cols))}
	var g Gatherer
	for i := range b.Cols {
		out.Cols[i] = Column{Name: b.Cols[i].Name, Type: b.Cols[i].Type}
		g.Column(&out.Cols[i], []*Column{&b.Cols[i]}, rows)
	}
	return out
}

func gather[T any](dst *Column, vals []T, srcs []*Column, selection []SourceRow, of func(*Column) []T) []T {
	base := len(vals)
	nulls := dst.Null != nil
	values := make([][]T, len(srcs))
	for i, s := range srcs {
		if s == nil || s.Null != nil {
			nulls = true
		}
		if s != nil {
			values[i] = of(s)
		}
	}
	if nulls && dst.Null == nil {
		dst.Null = make([]bool, base, base+len(selection))
	}
	var zero T
	vals = slices.Grow(vals, len(selection))
	for rest := selection; len(rest) > 0; {
		p, n := rest[0], runLength(rest)
		switch of := values[p.Src]; {
		case of == nil:
			vals, n = append(vals, zero), 1
		case n == 1:
			vals = append(vals, of[p.Row])
		default:
			vals = append(vals, of[p.Row:int(p.Row)+n]...)
		}
		rest = rest[n:]
	}
	if nulls {
		dst.Null = slices.Grow(dst.Null, len(selection))
		for _, p := range selection {
			s := srcs[p.Src]
			dst.Null = append(dst.Null, s == nil || s.Null != nil && s.Null[p.Row])
		}
	}
	return vals
}

// runLength returns how many of a selection, from its first on, are rows that follow each
// other.
func runLength(selection []SourceRow) int {
	n := 1
	for n < len(selection) && selection[n].Src == selection[0].Src && selection[n].Row == selection[n-1].Row+1 {
		n++
	}
	return n
}

func (g *Gatherer) codes(dst *Column, srcs []*Column, selection []SourceRow, into int) {
	if dst.Dict == nil {
		dst.Dict = NewDict()
	}
	g.epoch++
	if g.epoch == 0 { // stamps of 2^32 calls ago must not be taken for ours
		g.remap, g.epoch = nil, 1
	}
	for len(g.remap) < len(srcs) {
		g.remap = append(g.remap, nil)
	}
	for i, s := range srcs {
		if s != nil && i != into && !s.Dict.plain && len(g.remap[i]) < s.Dict.Len() {
			g.remap[i] = Zeros[uint64](s.Dict.Len() + s.Dict.Len()/4)
		}
	}
	if dst.Dict.fresh() {
		dst.Dict.Reserve(g.estimateValues(srcs, selection))
	}
	stamp := uint64(g.epoch) << 32
	dst.Codes = slices.Grow(dst.Codes, len(selection))
	for i := 0; i < len(selection); i++ {
		p := selection[i]
		if int(p.Src) == into {
			n := runLength(selection[i:])
			dst.Codes = append(dst.Codes, srcs[into].Codes[p.Row:int(p.Row)+n]...)
			i += n - 1
			continue
		}
		s := srcs[p.Src]
		if s == nil || s.Codes[p.Row] == 0 {
			dst.Codes = append(dst.Codes, 0)
			continue
		}
		c := s.Codes[p.Row]
		if s.Dict.plain {
			dst.Codes = append(dst.Codes, dst.Dict.addOf(s.Dict, c))
			continue
		}
		m := g.remap[p.Src]
		if m[c]&^0xffffffff != stamp {
			m[c] = stamp | uint64(dst.Dict.addOf(s.Dict, c))
		}
		dst.Codes = append(dst.Codes, uint32(m[c]))
	}
}

// estimateValues estimates how many values a selection brings, and their bytes: of each
// source's dictionary the share of its rows that is selected.
func (g *Gatherer) estimateValues(srcs []*Column, selection []SourceRow) (values, bytes int) {
	g.selected = append(g.selected[:0], make([]int, len(srcs))...)
	for _, p := range selection {
		g.selected[p.Src]++
	}
	for i, s := range srcs {
		if s == nil || len(s.Codes) == 0 {
			continue
		}
		share := min(1, float64(g.selected[i])/float64(len(s.Codes)))
		values += int(share * float64(s.Dict.Len()))
		bytes += int(share * float64(s.Dict.Size()))
	}
	return values, bytes
}
