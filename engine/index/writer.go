package index

import (
	"errors"
	"fmt"
	"io"

	"github.com/FastFilter/xorfilter"
)

// segmentUsers is the number of users of a segment. It bounds the memory of the
// writer: 8 bytes a user, and 23 while the filter is made.
const segmentUsers = 1 << 19

// Writer writes a run. It is for one goroutine; after an error it is of no use.
// Equal entries make equal bytes.
type Writer struct {
	w       io.Writer
	err     error
	closed  bool
	out     []byte // finished, not yet written
	off     int64
	last    Entry
	block   blockBuilder
	blocks  []blockInfo // of the segment that is under way
	users   []uint64    // likewise
	segs    []segment
	entries uint64
	total   uint64 // users
	fuse    xorfilter.BinaryFuseBuilder

	perSegment int
	bare       bool // without filters, for scratch files
}

// NewWriter returns a writer of a run to w. Nothing is complete before Close.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, out: append(make([]byte, 0, flushLimit+maxBlock), magic...), perSegment: segmentUsers}
}

const flushLimit = 256 << 10

// Entries returns the number of distinct entries that were added.
func (w *Writer) Entries() int64 { return int64(w.entries) }

// Size returns the length of the run in bytes; it is final after Close.
func (w *Writer) Size() int64 { return w.off + int64(len(w.out)) }

// Add appends an entry. Entries come in the order of Compare; one that is equal
// to the last is dropped, a smaller one is an error.
func (w *Writer) Add(e Entry) error {
	if w.err != nil {
		return w.err
	}
	fresh := w.entries == 0 || e.Raw != w.last.Raw
	if w.entries > 0 {
		switch c := Compare(e, w.last); {
		case c == 0:
			return nil
		case c < 0:
			w.err = fmt.Errorf("writing an index run: entry %+v comes after %+v, which is greater", e, w.last)
			return w.err
		}
	}
	if fresh {
		if len(w.users) == w.perSegment {
			w.endSegment()
		}
		w.users = append(w.users, uint64(e.Raw))
		w.total++
	}
	w.block.add(e)
	w.last = e
	w.entries++
	if w.block.full() {
		w.endBlock()
	}
	return w.err
}

// Close writes what is left. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if len(w.users) > 0 {
		w.endSegment()
	}
	f := footer{dirOff: uint64(w.Size()), entries: w.entries, users: w.total}
	dir := appendDirectory(nil, w.segs)
	f.dirLen, f.dirSum = uint64(len(dir)), checksum(dir)
	w.out = append(append(w.out, dir...), f.bytes()...)
	w.flush()
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("writing an index run: it is closed")
	return nil
}

func (w *Writer) endBlock() {
	var info blockInfo
	off := w.Size()
	w.out, info = w.block.finish(w.out)
	info.off = off
	w.blocks = append(w.blocks, info)
	if len(w.out) >= flushLimit {
		w.flush()
	}
}

func (w *Writer) endSegment() {
	if w.block.info.entries > 0 {
		w.endBlock()
	}
	s := segment{blocks: w.blocks, users: uint64(len(w.users)), filterOff: w.Size()}
	if !w.bare {
		// Without a filter, should one ever not be found, all users are read for.
		start := len(w.out)
		if out, err := appendFilter(w.out, &w.fuse, w.users); err == nil {
			w.out = out
			s.filterLen = uint32(len(out) - start)
		}
		s.filterSum = checksum(w.out[start:])
	}
	w.segs = append(w.segs, s)
	w.blocks, w.users = nil, w.users[:0]
	w.flush()
}

func (w *Writer) flush() {
	if w.err == nil {
		if _, err := w.w.Write(w.out); err != nil {
			w.err = fmt.Errorf("writing an index run: %w", err)
		}
	}
	w.off += int64(len(w.out))
	w.out = w.out[:0]
}
