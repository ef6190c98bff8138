package index

import (
	"context"
	"fmt"
	"io"
)

// readLimit is about how many bytes of neighbouring blocks are read at once.
const readLimit = 256 << 10

// span reads neighbouring blocks of a run with one call and hands them out.
type span struct {
	run    *Run
	blocks []blockInfo // read, not handed out
	data   []byte
	buf    []byte
	dec    blockDecoder
}

// fill reads blocks from the front of want, which follow each other without a
// gap in the run, and returns how many and how many bytes that was.
func (s *span) fill(ctx context.Context, want []blockInfo) (n int, size int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	for n < len(want) && (n == 0 || size+int(want[n].size) <= readLimit) {
		size += int(want[n].size)
		n++
	}
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	s.blocks, s.data = want[:n], s.buf[:size]
	if err := readAt(s.run.r, s.data, want[0].off); err != nil {
		return 0, 0, fmt.Errorf("reading %d bytes at %d of an index run: %w", size, want[0].off, err)
	}
	return n, size, nil
}

// next decodes the next block of those read, or of it the entries of some users, who
// are ascending; entries is nil after the last.
func (s *span) next(only []int64) (entries []Entry, err error) {
	if len(s.blocks) == 0 {
		return nil, nil
	}
	k := s.blocks[0]
	data := s.data[:k.size]
	s.blocks, s.data = s.blocks[1:], s.data[k.size:]
	if entries, err = s.dec.decode(data, k, s.run.version, only); err != nil {
		return nil, fmt.Errorf("block at %d: %w", k.off, err)
	}
	return entries, nil
}

// Scanner reads all entries of a run in order. It is for one goroutine.
type Scanner struct {
	span     span
	segs     []segment
	upcoming []blockInfo // of the segment that is under way
}

// Scan returns a scanner at the beginning of the run.
func (r *Run) Scan() *Scanner { return &Scanner{span: span{run: r}, segs: r.segs} }

// Next returns the next entries, at least one; they are valid until the
// following call. At the end it returns io.EOF.
func (s *Scanner) Next(ctx context.Context) ([]Entry, error) {
	for {
		if e, err := s.span.next(nil); e != nil || err != nil {
			return e, err
		}
		if len(s.upcoming) == 0 {
			if len(s.segs) == 0 {
				return nil, io.EOF
			}
			s.upcoming, s.segs = s.segs[0].blocks, s.segs[1:]
		}
		n, _, err := s.span.fill(ctx, s.upcoming)
		if err != nil {
			return nil, err
		}
		s.upcoming = s.upcoming[n:]
	}
}
