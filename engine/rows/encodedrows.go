package rows

import (
	"encoding/binary"

	"reconcile/engine/rules"
)

// EncodedRows collects rows whose columns stay in the binary form in which they were
// delivered: whoever needs the columns decodes the record. That costs less than
// columns that are sorted, spilled and gathered, and each value is looked at once.
type EncodedRows struct {
	// Secret says that records hold what must not be stored in a readable form:
	// a scratch file of them is encrypted under a key that is kept nowhere.
	Secret bool

	rows  []rules.Row
	slabs slabs
	base  uint32   // place of the block that was added last
	bytes int      // of the blocks
	free  [][]byte // slabs that can be used again
}

// slabs hold blocks of records one behind the other. A block is in one slab, and
// the place of a record is the slab's number above slabBits bits of its offset
// there. What is added moves nothing.
type slabs [][]byte

const (
	slabBits  = 20
	firstSlab = 64 << 10 // bytes; each slab has twice as many, up to 1<<slabBits
)

// maxSlabs is how many slabs a set of rows may have before it is full: few enough that
// places fit 32 bits, whatever the last block takes.
const maxSlabs = 1 << 10

// Block returns room for the n bytes of a block of records, which the caller fills.
// The rows that are added next have their records there.
func (p *EncodedRows) Block(n int) []byte {
	slab := p.slabFor(n)
	at := len(p.slabs[slab])
	p.slabs[slab] = p.slabs[slab][:at+n]
	block := p.slabs[slab][at:]
	p.base = uint32(slab<<slabBits | at)
	// A block that is larger than a slab has the numbers of those that it stands for.
	for i := n - 1; i >= 1<<slabBits; i -= 1 << slabBits {
		p.slabs = append(p.slabs, nil)
	}
	p.bytes += n
	return block
}

// Add takes a row whose record is at r.At of the last block.
func (p *EncodedRows) Add(r rules.Row) {
	r.At += p.base
	p.rows = append(p.rows, r)
}

// slabFor returns the number of a slab that has room for n bytes.
func (p *EncodedRows) slabFor(n int) int {
	last := len(p.slabs) - 1
	if last >= 0 && cap(p.slabs[last])-len(p.slabs[last]) >= n {
		return last
	}
	size := min(firstSlab<<min(len(p.slabs), slabBits), 1<<slabBits)
	switch f := len(p.free); {
	case n > size:
		p.slabs = append(p.slabs, make([]byte, 0, n))
	case f > 0 && cap(p.free[f-1]) >= n:
		p.slabs, p.free = append(p.slabs, p.free[f-1][:0]), p.free[:f-1]
	default:
		p.slabs = append(p.slabs, make([]byte, 0, size))
	}
	return last + 1
}

// Len returns the number of rows.
func (p *EncodedRows) Len() int { return len(p.rows) }

// Full reports whether p must be sealed before more is added to it.
func (p *EncodedRows) Full() bool { return len(p.slabs) >= maxSlabs }

// RowSize is how many bytes a row takes in memory, beside its columns.
const RowSize = 48

// Size returns how many bytes the rows take.
func (p *EncodedRows) Size() int { return RowSize*len(p.rows) + p.bytes }

// Seal turns what was collected into a segment. p is empty afterwards.
func (p *EncodedRows) Seal() *Segment {
	s := newSegment(p.rows)
	s.slabs, s.secret = p.slabs, p.Secret
	s.memory = RowSize * cap(p.rows)
	for _, b := range p.slabs {
		s.memory += cap(b)
	}
	*p = EncodedRows{}
	return s
}

// reuse returns an empty one with the memory of a segment.
func reuse(s *Segment) EncodedRows {
	p := EncodedRows{rows: s.rows[:0]}
	for _, b := range s.slabs {
		if cap(b) == 1<<slabBits { // smaller ones are soon full
			p.free = append(p.free, b)
		}
	}
	return p
}

// Reuse returns one with the memory of an encoded segment that was spilled, an
// empty one otherwise. It can be asked once.
func (s *Segment) Reuse() EncodedRows {
	p := s.reusable
	s.reusable = EncodedRows{}
	return p
}

// Record returns the record of Rows[i] of a chunk of encoded rows. A long one of a spilled
// segment is read from its file each time.
func (c *Chunk) Record(i int) ([]byte, error) {
	r := &c.Rows[i]
	switch {
	case c.load != nil: // a long one
		return c.load()
	case c.records != nil:
		return c.records[i], nil
	case c.slabs == nil:
		return c.block[r.At : r.At+r.Size], nil
	}
	return c.slabs.record(r), nil
}

func (s slabs) record(r *rules.Row) []byte {
	slab, at := r.At>>slabBits, r.At&(1<<slabBits-1)
	for s[slab] == nil {
		slab, at = slab-1, at+1<<slabBits
	}
	return s[slab][at : at+r.Size]
}

// Encoded reports whether the columns of the rows are records, not a batch.
func (c *Chunk) Encoded() bool { return c.Batch == nil }

// blockHead is what a row takes in a block beside its record.
const blockHead = 32

// appendHeads writes what rows of a block have beside their records, and where these end.
func appendHeads(dst []byte, picked []pick) []byte {
	end := uint32(0)
	for i := range picked {
		r := &picked[i].row
		end += r.Size
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Raw))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Key))
		dst = binary.LittleEndian.AppendUint64(dst, r.Ver)
		dst = binary.LittleEndian.AppendUint32(dst, end)
		dst = binary.LittleEndian.AppendUint32(dst, r.Format)
	}
	return dst
}

// readHeads makes a chunk of what appendHeads wrote.
func readHeads(block []byte, n int, part int64) *Chunk {
	ch := &Chunk{Rows: make([]rules.Row, n)}
	at := uint32(0)
	for i := range n {
		h := block[i*blockHead : (i+1)*blockHead]
		ch.Rows[i] = rules.Row{Part: part, Raw: int64(binary.LittleEndian.Uint64(h)), Key: int64(binary.LittleEndian.Uint64(h[8:])),
			Ver: binary.LittleEndian.Uint64(h[16:]), At: at, Format: binary.LittleEndian.Uint32(h[28:])}
		end := binary.LittleEndian.Uint32(h[24:])
		ch.Rows[i].Size = end - at
		at = end
	}
	return ch
}

// Grow makes room for so many rows more, and then in large steps: what is not written
// yet takes no memory, and what is written is seldom copied.
func (p *EncodedRows) Grow(n int) {
	if cap(p.rows)-len(p.rows) < n {
		rows := make([]rules.Row, len(p.rows), max(len(p.rows)+n, 4*len(p.rows)))
		copy(rows, p.rows)
		p.rows = rows
	}
}
