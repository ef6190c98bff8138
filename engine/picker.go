package engine

import (
	"reconcile/engine/rows"
	"reconcile/internal/column"
)

// picker collects rows of many sources in the order in which they are to be
// written. Those that are packed are decoded together, in that order. One
// goroutine uses it.
type picker struct {
	plans plans
	picks []column.Pick
	meta  []rows.Row
	srcs  []*column.Batch
	bytes int // of packed records, and of the codes of their columns
	// rescued counts packed rows with something rescued, rounded their values that
	// were rounded.
	rescued, rounded int64

	packed []*packedSource // by shape
	open   int             // those that hold records
}

// codeSize is what a value takes in a decoded column at least.
const codeSize = 4

// packedSource is the picked records of one shape, and what becomes of them.
type packedSource struct {
	records [][]byte // of their chunks
	dec     *decoder
	batch   column.Batch
}

// add takes row i of a chunk.
func (p *picker) add(ch *rows.Chunk, i int) {
	src, row := ch.Batch, ch.Rows[i].At
	if ch.Packed() {
		record := ch.Record(i)
		s := p.source(int(ch.Rows[i].Shape))
		if len(s.records) == 0 {
			p.open++
		}
		src, row = &s.batch, uint32(len(s.records))
		s.records = append(s.records, record)
		p.bytes += len(record) + codeSize*len(p.plans.schema.Payload)
	}
	p.picks = append(p.picks, column.Pick{Src: p.index(src), Row: row})
	p.meta = append(p.meta, ch.Rows[i])
}

// index returns the number of a source. One that was not used lately may get a
// second number, see settle.
func (p *picker) index(src *column.Batch) uint32 {
	n := len(p.srcs)
	for i := n - 1; i >= max(n-8, 0); i-- {
		if p.srcs[i] == src {
			return uint32(i)
		}
	}
	p.srcs = append(p.srcs, src)
	return uint32(n)
}

func (p *picker) source(shape int) *packedSource {
	for len(p.packed) <= shape {
		p.packed = append(p.packed, nil)
	}
	if p.packed[shape] == nil {
		p.packed[shape] = &packedSource{}
	}
	return p.packed[shape]
}

// settle decodes what is packed and names each source once.
func (p *picker) settle() error {
	for shape, s := range p.packed {
		if s == nil || len(s.records) == 0 {
			continue
		}
		plan, err := p.plans.of(shape)
		if err != nil {
			return err
		}
		if s.dec == nil {
			s.dec = newDecoder(p.plans.schema)
		}
		rescued, rounded := s.dec.rescued, s.dec.rounded
		if err := s.dec.records(plan, s.records); err != nil {
			return err
		}
		p.rescued += s.dec.rescued - rescued
		p.rounded += s.dec.rounded - rounded
		s.batch.N, s.batch.Cols = len(s.records), s.dec.cols
	}
	p.srcs = dedupSources(p.srcs, p.picks)
	return nil
}

// straight returns the one source whose rows are the picks in their order, nil
// if there is none such.
func (p *picker) straight() *column.Batch {
	if len(p.srcs) != 1 || p.open != 1 {
		return nil
	}
	return p.srcs[0]
}

// own returns the source whose dictionaries a row group can take over.
func (p *picker) own() int { return ownSource(p.srcs) }

// ownSource returns the source with the most rows of those that nobody else uses,
// -1 without any.
func ownSource(srcs []*column.Batch) int {
	best := -1
	for i, b := range srcs {
		if b.Own && (best < 0 || b.N > srcs[best].N) {
			best = i
		}
	}
	return best
}

// takeStraight returns the columns of straight and lets go of them.
func (p *picker) takeStraight() []column.Column {
	cols := p.straight().Cols
	for _, s := range p.packed {
		if s != nil && len(s.records) > 0 {
			s.dec.cols = p.plans.schema.EmptyPayload()
		}
	}
	return cols
}

// reset forgets the rows and keeps the memory.
func (p *picker) reset() {
	p.picks, p.meta, p.bytes, p.open = p.picks[:0], p.meta[:0], 0, 0
	clear(p.srcs)
	p.srcs = p.srcs[:0]
	for _, s := range p.packed {
		if s != nil {
			clear(s.records)
			s.records = s.records[:0]
		}
	}
}

// columns returns the column of that name of every source, nil where it lacks.
func (p *picker) columns(name string) []*column.Column {
	out := make([]*column.Column, len(p.srcs))
	for i, b := range p.srcs {
		out[i] = b.Col(name)
	}
	return out
}

// dedupSources names each source batch once: interleaved cursors name them
// again and again.
func dedupSources(srcs []*column.Batch, picks []column.Pick) []*column.Batch {
	if len(srcs) < 2 {
		return srcs
	}
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
