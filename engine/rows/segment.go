package rows

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync/atomic"

	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// Verdicts holds two bits for each row of a segment. Set may be called by many
// goroutines at once, but once a row.
type Verdicts []uint32

// NewVerdicts returns verdicts for n rows, all Publish.
func NewVerdicts(n int) Verdicts { return make(Verdicts, (n+15)/16) }

// Set gives row i its verdict.
func (v Verdicts) Set(i int, to rules.Verdict) { atomic.OrUint32(&v[i/16], uint32(to)<<(i%16*2)) }

// Get returns the verdict of row i.
func (v Verdicts) Get(i int) rules.Verdict { return rules.Verdict(v[i/16] >> (i % 16 * 2) & 3) }

// PartRange is the place of a partition's rows in a segment.
type PartRange struct {
	Part   int64
	Lo, Hi int
}

// Segment is a sorted, immutable run of rows, in memory or in a scratch file.
// Their columns are a batch, or encoded records.
type Segment struct {
	Parts    []PartRange
	Verdicts Verdicts
	n        int
	memory   int
	rows     []rules.Row // sorted; nil when spilled
	batch    *column.Batch
	secret   bool
	slabs    slabs
	scratch  *scratchFile
	reusable EncodedRows
}

// NewSegment sorts rows and takes ownership of them and of the batch that
// their At points into. Rows of the batch that no Row names are left out.
func NewSegment(rs []rules.Row, batch *column.Batch) *Segment {
	s := newSegment(rs)
	s.batch = batch
	s.memory = RowSize*cap(rs) + batch.Memory()
	return s
}

func newSegment(rs []rules.Row) *Segment {
	sortRows(rs)
	s := &Segment{n: len(rs), rows: rs, Verdicts: NewVerdicts(len(rs))}
	for i := 0; i < len(rs); {
		j := i + 1
		for j < len(rs) && rs[j].Part == rs[i].Part {
			j++
		}
		s.Parts = append(s.Parts, PartRange{rs[i].Part, i, j})
		i = j
	}
	return s
}

// Memory returns about how many bytes the rows take while they are not spilled.
func (s *Segment) Memory() int { return s.memory }

// spilled reports whether the rows are in a scratch file.
func (s *Segment) spilled() bool { return s.scratch != nil }

// Len returns the number of rows.
func (s *Segment) Len() int { return s.n }

// Rows returns all rows in order. For a spilled segment it returns nil: call
// it before Spill.
func (s *Segment) Rows() []rules.Row { return s.rows }

// Close removes the scratch file, if any. The rows are gone then; closing again does
// nothing.
func (s *Segment) Close() error {
	scratch := s.scratch
	if s.scratch = nil; scratch == nil {
		return nil
	}
	return scratch.remove()
}

// Chunk is a stretch of sorted rows with the batch that holds their columns, or
// with their records. Both may be kept.
type Chunk struct {
	Rows     []rules.Row
	Batch    *column.Batch // nil of encoded rows
	Verdicts Verdicts
	First    int // position of Rows[0] in Verdicts
	// Columns are those whose values encoded rows have, which a ValueReader reads; nil if the
	// records are those that were delivered.
	Columns []column.Column

	// Of encoded rows: their records, or the block of a scratch file that they are in.
	slabs   slabs
	block   []byte
	records [][]byte
	// load reads the record of the only row, which is a long one.
	load func() ([]byte, error)

	stays  bool // in memory, whoever keeps rows of it
	sparse sparse
}

// SetRecords gives rows records of the values of columns, in place of a batch.
func (c *Chunk) SetRecords(columns []column.Column, records [][]byte) {
	c.Batch, c.Columns, c.records, c.stays = nil, columns, records, true
	for i := range c.Rows {
		c.Rows[i].At, c.Rows[i].Size = 0, uint32(len(records[i]))
	}
}

// Verdict returns the verdict of Rows[i].
func (c *Chunk) Verdict(i int) rules.Verdict { return c.Verdicts.Get(c.First + i) }

// Part returns the rows of one partition of a segment in memory, nil if there
// are none.
func (s *Segment) Part(part int64) *Chunk {
	r, ok := s.partRange(part)
	if !ok || s.spilled() {
		return nil
	}
	return &Chunk{Rows: s.rows[r.Lo:r.Hi], Batch: s.batch, Verdicts: s.Verdicts, First: r.Lo, slabs: s.slabs, stays: true}
}

func (s *Segment) partRange(part int64) (PartRange, bool) {
	i := sort.Search(len(s.Parts), func(i int) bool { return s.Parts[i].Part >= part })
	if i == len(s.Parts) || s.Parts[i].Part != part {
		return PartRange{}, false
	}
	return s.Parts[i], true
}

// Partitions returns the partitions of segments, sorted.
func Partitions(segments []*Segment) []int64 {
	seen := map[int64]bool{}
	for _, s := range segments {
		for _, p := range s.Parts {
			seen[p.Part] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Cursor reads rows in the order of (raw user, key). Next returns nil at the
// end.
type Cursor interface {
	Next(ctx context.Context) (*Chunk, error)
	Close() error
}

// Open returns a cursor over the rows of one partition, nil if there are none.
func (s *Segment) Open(part int64) Cursor {
	r, ok := s.partRange(part)
	switch {
	case !ok:
		return nil
	case s.scratch != nil:
		return s.scratch.open(r, s.Verdicts)
	}
	return &memCursor{chunk: s.Part(part)}
}

type memCursor struct{ chunk *Chunk }

func (c *memCursor) Next(context.Context) (*Chunk, error) {
	ch := c.chunk
	c.chunk = nil
	return ch, nil
}

func (c *memCursor) Close() error { return nil }
