package index

import (
	"bytes"
	"fmt"
	"io"
)

// Run is an open run. It is immutable and safe for concurrent use if its reader
// is; it holds nothing that has to be closed.
type Run struct {
	r       io.ReaderAt
	size    int64
	segs    []segment
	filters []*filter // per segment; nil if there is none or it is not kept
	entries int
	users   int
	version byte
}

// Open opens the run that is the first size bytes of r. It reads the directory, and
// the filters if they take at most that many bytes: others are read by each look-up, a
// segment at a time. Damage to what is read is found here, damage to the rest later.
func Open(r io.ReaderAt, size int64, filters int) (*Run, error) {
	f, err := readFooter(r, size)
	if err != nil {
		return nil, fmt.Errorf("opening an index run of %d bytes: %w", size, err)
	}
	dir := make([]byte, f.dirLen)
	if err := readAt(r, dir, int64(f.dirOff)); err != nil {
		return nil, fmt.Errorf("reading the directory of an index run: %w", err)
	}
	if checksum(dir) != f.dirSum {
		return nil, damaged("checksum of the directory")
	}
	segs, err := parseDirectory(dir, f)
	if err != nil {
		return nil, err
	}
	run := &Run{r: r, size: size, version: f.version, segs: segs, entries: int(f.entries), users: int(f.users)}
	return run, run.loadFilters(int64(filters))
}

func readFooter(r io.ReaderAt, size int64) (f footer, err error) {
	if size < int64(len(magic)+footerLen) {
		return f, damaged("it is shorter than an empty one")
	}
	head, tail := make([]byte, len(magic)), make([]byte, footerLen)
	if err := readAt(r, head, 0); err != nil {
		return f, err
	}
	if err := readAt(r, tail, size-int64(footerLen)); err != nil {
		return f, err
	}
	if f, err = parseFooter(tail); err != nil {
		return f, err
	}
	if !bytes.Equal(head, tail[36:36+len(magic)]) {
		return f, damaged("its two marks differ")
	}
	body := uint64(size) - uint64(footerLen)
	if f.dirOff < uint64(len(magic)) || f.dirOff > body || f.dirLen != body-f.dirOff {
		return f, damaged("place of the directory")
	}
	return f, nil
}

// Size returns the stored length in bytes.
func (r *Run) Size() int64 { return r.size }

func (r *Run) loadFilters(limit int64) error {
	total := int64(0)
	for i := range r.segs {
		total += int64(r.segs[i].filterLen)
	}
	r.filters = make([]*filter, len(r.segs))
	for i := range r.segs {
		if r.segs[i].filterLen == 0 || total > limit {
			continue
		}
		f, err := r.readFilter(&r.segs[i])
		if err != nil {
			return err
		}
		r.filters[i] = f
	}
	return nil
}

func (r *Run) readFilter(s *segment) (*filter, error) {
	b := make([]byte, s.filterLen)
	if err := readAt(r.r, b, s.filterOff); err != nil {
		return nil, fmt.Errorf("reading a filter of an index run: %w", err)
	}
	if checksum(b) != s.filterSum {
		return nil, damaged("checksum of a filter")
	}
	return parseFilter(b)
}
