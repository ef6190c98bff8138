package rows

import (
	"encoding/binary"
	"slices"
)

// Pack collects rows whose columns stay in the binary form in which they were
// delivered: whoever needs the columns decodes the record. That costs less than
// columns that are sorted, spilled and gathered, and each value is looked at once.
type Pack struct {
	// Secret says that records hold what must not be stored in a readable form:
	// a scratch file of them is encrypted under a key that is kept nowhere.
	Secret bool

	rows []Row
	ends []uint32 // of the records in data, by Row.At
	data []byte
}

// maxPack is how many bytes the records of a pack may have, so that their ends
// fit 32 bits.
const maxPack = 1 << 30

// Add takes a row. shape tells how its record is to be read; both come back
// from Chunk.Record.
func (p *Pack) Add(r Row, shape int, record []byte) {
	r.At = uint32(len(p.ends))
	p.data = append(binary.AppendUvarint(p.data, uint64(shape)), record...)
	p.ends = append(p.ends, uint32(len(p.data)))
	p.rows = append(p.rows, r)
}

// Len returns the number of rows.
func (p *Pack) Len() int { return len(p.rows) }

// Full reports whether p must be sealed before more is added to it.
func (p *Pack) Full() bool { return len(p.data) >= maxPack }

// rowSize is what a Row takes in memory.
const rowSize = 40

// Size returns how many bytes the rows take.
func (p *Pack) Size() int { return (rowSize+4)*len(p.rows) + len(p.data) }

// Seal turns what was collected into a segment. p is empty afterwards.
func (p *Pack) Seal() *Segment {
	s := newSegment(p.rows)
	s.data, s.ends, s.packed, s.secret = p.data, p.ends, true, p.Secret
	s.memory = (rowSize+4)*cap(p.rows) + cap(p.data)
	*p = Pack{}
	return s
}

// Spare returns a pack with the memory of a packed segment that was spilled, an
// empty one otherwise. It can be asked once.
func (s *Segment) Spare() Pack {
	p := s.spare
	s.spare = Pack{}
	return p
}

// Record returns the record of Rows[i] of a chunk of packed rows and the shape
// that it was added with.
func (c *Chunk) Record(i int) (shape int, record []byte) {
	at := c.Rows[i].At
	from := uint32(0)
	if at > 0 {
		from = c.ends[at-1]
	}
	record = c.data[from:c.ends[at]]
	n, k := binary.Uvarint(record)
	return int(n), record[k:]
}

// Packed reports whether the columns of the rows are records, not a batch.
func (c *Chunk) Packed() bool { return c.Batch == nil }

// appendBlock writes rows lo to hi of a packed segment, in their order, as one
// block of its scratch file before compression.
func (s *Segment) appendBlock(dst []byte, lo, hi int) []byte {
	end := uint32(0)
	for _, r := range s.rows[lo:hi] {
		end += s.recordSize(r.At)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Raw))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Key))
		dst = binary.LittleEndian.AppendUint64(dst, r.Ver)
		dst = binary.LittleEndian.AppendUint32(dst, end)
	}
	for _, r := range s.rows[lo:hi] {
		to := s.ends[r.At]
		dst = append(dst, s.data[to-s.recordSize(r.At):to]...)
	}
	return dst
}

func (s *Segment) recordSize(at uint32) uint32 {
	if at == 0 {
		return s.ends[0]
	}
	return s.ends[at] - s.ends[at-1]
}

// blockHead is what a row takes in a block beside its record.
const blockHead = 28

// readBlock makes a chunk of what appendBlock wrote; block becomes part of it.
func readBlock(block []byte, n int, part int64) *Chunk {
	ch := &Chunk{Rows: make([]Row, n), ends: make([]uint32, n), data: block[n*blockHead:]}
	for i := range n {
		h := block[i*blockHead : (i+1)*blockHead]
		ch.Rows[i] = Row{Part: part, Raw: int64(binary.LittleEndian.Uint64(h)), Key: int64(binary.LittleEndian.Uint64(h[8:])),
			Ver: binary.LittleEndian.Uint64(h[16:]), At: uint32(i)}
		ch.ends[i] = binary.LittleEndian.Uint32(h[24:])
	}
	return ch
}

// blockEnd returns where a block that begins at row lo ends: by its bytes, or by
// group rows if that is not 0.
func (s *Segment) blockEnd(lo, hi, group int) int {
	size := 0
	for i := lo; i < hi; i++ {
		if size >= blockBytes || group > 0 && i-lo >= group {
			return i
		}
		size += blockHead + int(s.recordSize(s.rows[i].At))
	}
	return hi
}

// Grow makes room for so many rows more, and for half as many as there are, so
// that rows are seldom moved.
func (p *Pack) Grow(rows, bytes int) {
	p.rows, p.ends, p.data = room(p.rows, rows), room(p.ends, rows), room(p.data, bytes)
}

func room[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return slices.Grow(s, max(n, len(s)/2))
}
