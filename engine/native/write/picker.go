package write

import (
	"reconcile/engine/native/ingest"
	"reconcile/engine/rows"
	"reconcile/internal/column"
)

// Picker collects rows of many sources in the order in which they are to be
// written. Those that are packed are decoded together, in that order. One
// goroutine uses it.
type Picker struct {
	Plans   ingest.Plans
	Picks   []column.Pick
	Meta    []rows.Row
	Sources []*column.Batch
	Bytes   int // of packed records, and of the codes of their columns
	// Rescued counts packed rows with something rescued, rounded their values that
	// were rounded.
	Rescued, rounded int64

	packed []*packedSource // by shape
	open   int             // those that hold records
}

// codeSize is what a value takes in a decoded column at least.
const codeSize = 4

// packedSource is the picked records of one shape, and what becomes of them.
type packedSource struct {
	records [][]byte // of their chunks
	dec     *ingest.Decoder
	batch   column.Batch
}

// Add takes row i of a chunk.
func (p *Picker) Add(ch *rows.Chunk, i int) {
	src, row := ch.Batch, ch.Rows[i].At
	if ch.Packed() {
		record := ch.Record(i)
		s := p.source(int(ch.Rows[i].Shape))
		if len(s.records) == 0 {
			p.open++
		}
		src, row = &s.batch, uint32(len(s.records))
		s.records = append(s.records, record)
		p.Bytes += len(record) + codeSize*len(p.Plans.Schema.Payload)
	}
	p.Picks = append(p.Picks, column.Pick{Src: p.index(src), Row: row})
	p.Meta = append(p.Meta, ch.Rows[i])
}

// index returns the number of a source. One that was not used lately may get a
// second number, see settle.
func (p *Picker) index(src *column.Batch) uint32 {
	n := len(p.Sources)
	for i := n - 1; i >= max(n-8, 0); i-- {
		if p.Sources[i] == src {
			return uint32(i)
		}
	}
	p.Sources = append(p.Sources, src)
	return uint32(n)
}

func (p *Picker) source(shape int) *packedSource {
	for len(p.packed) <= shape {
		p.packed = append(p.packed, nil)
	}
	if p.packed[shape] == nil {
		p.packed[shape] = &packedSource{}
	}
	return p.packed[shape]
}

// Settle decodes what is packed and names each source once.
func (p *Picker) Settle() error {
	for shape, s := range p.packed {
		if s == nil || len(s.records) == 0 {
			continue
		}
		plan, err := p.Plans.Of(shape)
		if err != nil {
			return err
		}
		if s.dec == nil {
			s.dec = ingest.NewDecoder(p.Plans.Schema)
		}
		rescued, rounded := s.dec.Rescued, s.dec.Rounded
		if err := s.dec.Records(plan, s.records); err != nil {
			return err
		}
		p.Rescued += s.dec.Rescued - rescued
		p.rounded += s.dec.Rounded - rounded
		s.batch.N, s.batch.Cols = len(s.records), s.dec.Cols
	}
	p.Sources = dedupSources(p.Sources, p.Picks)
	return nil
}

// Straight returns the one source whose rows are the picks in their order, nil
// if there is none such.
func (p *Picker) Straight() *column.Batch {
	if len(p.Sources) != 1 || p.open != 1 {
		return nil
	}
	return p.Sources[0]
}

// Own returns the source whose dictionaries a row group can take over.
func (p *Picker) Own() int { return ownSource(p.Sources) }

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

// TakeStraight returns the columns of straight and lets go of them.
func (p *Picker) TakeStraight() []column.Column {
	cols := p.Straight().Cols
	for _, s := range p.packed {
		if s != nil && len(s.records) > 0 {
			s.dec.Cols = p.Plans.Schema.EmptyPayload()
		}
	}
	return cols
}

// Reset forgets the rows and keeps the memory.
func (p *Picker) Reset() {
	p.Picks, p.Meta, p.Bytes, p.open = p.Picks[:0], p.Meta[:0], 0, 0
	clear(p.Sources)
	p.Sources = p.Sources[:0]
	for _, s := range p.packed {
		if s != nil {
			clear(s.records)
			s.records = s.records[:0]
		}
	}
}

// Columns returns the column of that name of every source, nil where it lacks.
func (p *Picker) Columns(name string) []*column.Column {
	out := make([]*column.Column, len(p.Sources))
	for i, b := range p.Sources {
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
