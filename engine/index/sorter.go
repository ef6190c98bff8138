package index

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// fanIn is how many scratch files are merged at once, and so about how many of
// one size are open.
const fanIn = 48

// Sorter makes a run from entries in any order with bounded memory: 16 bytes
// for each of memEntries (a quarter more while it grows), and 0.4 MB for
// each scratch file that is being merged. It is for one goroutine.
type Sorter struct {
	// Workers is how many goroutines sort at once, at least one.
	Workers int

	dir    string
	limit  int
	buf    []Entry
	spills []spill
	err    error
}

// spill is a scratch file with a sorted part of the entries.
type spill struct {
	f     *os.File
	run   *Run
	level int // how often its entries were merged
}

// NewSorter returns a sorter that holds up to memEntries entries in memory and
// puts more into files in scratchDir. Close must be called.
func NewSorter(scratchDir string, memEntries int) *Sorter {
	return &Sorter{dir: scratchDir, limit: max(memEntries, 1)}
}

// Add takes one entry.
func (s *Sorter) Add(ctx context.Context, e Entry) error {
	if s.err != nil {
		return s.err
	}
	if len(s.buf) == cap(s.buf) {
		s.grow()
	}
	s.buf = append(s.buf, e)
	if len(s.buf) < s.limit {
		return nil
	}
	return s.spill(ctx)
}

// grow makes room in large steps: what is not written yet takes no memory, and what
// is written is seldom copied.
func (s *Sorter) grow() {
	buf := make([]Entry, len(s.buf), min(max(4*len(s.buf), 1024), s.limit))
	copy(buf, s.buf)
	s.buf = buf
}

// WriteTo adds all entries to w in order, without duplicates. It does not close
// w. The sorter only wants Close afterwards.
func (s *Sorter) WriteTo(ctx context.Context, w *Writer) error {
	if s.err != nil {
		return s.err
	}
	sortWith(s.buf, s.Workers)
	if len(s.spills) == 0 {
		for _, e := range s.buf {
			if err := w.Add(e); err != nil {
				return err
			}
		}
		return ctx.Err()
	}
	if len(s.buf) > 0 {
		if err := s.spill(ctx); err != nil {
			return err
		}
	}
	s.buf = nil
	return mergeRuns(ctx, w, s.runs(0), nil)
}

// Close removes the scratch files.
func (s *Sorter) Close() error {
	s.buf = nil
	return s.removeSpills(0)
}

func (s *Sorter) runs(from int) []*Run {
	var runs []*Run
	for _, sp := range s.spills[from:] {
		runs = append(runs, sp.run)
	}
	return runs
}

// spill moves the entries in memory to a scratch file, and merges files when
// there are many of one level. An error is final.
func (s *Sorter) spill(ctx context.Context) error {
	sortWith(s.buf, s.Workers)
	s.err = s.create(0, func(w *Writer) error {
		for _, e := range s.buf {
			if err := w.Add(e); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	s.buf = s.buf[:0]
	for s.err == nil && s.crowded() {
		s.err = s.compact(ctx)
	}
	return s.err
}

// compact merges the last fanIn files into one.
func (s *Sorter) compact(ctx context.Context) error {
	from := len(s.spills) - fanIn
	runs, level := s.runs(from), s.spills[from].level+1
	if err := s.create(level, func(w *Writer) error { return mergeRuns(ctx, w, runs, nil) }); err != nil {
		return err
	}
	merged := s.spills[len(s.spills)-1]
	s.spills = s.spills[:len(s.spills)-1]
	err := s.removeSpills(from)
	s.spills = append(s.spills, merged)
	return err
}

// crowded reports whether the last fanIn files are of one level.
func (s *Sorter) crowded() bool {
	n := len(s.spills)
	return n >= fanIn && s.spills[n-fanIn].level == s.spills[n-1].level
}

// create makes a scratch file with what fill writes.
func (s *Sorter) create(level int, fill func(*Writer) error) error {
	f, err := os.CreateTemp(s.dir, "index-*")
	if err != nil {
		return s.scratchError(err)
	}
	s.spills = append(s.spills, spill{f: f, level: level}) // Close removes it, come what may
	w := NewWriter(f)
	w.bare = true
	if err := fill(w); err != nil {
		return s.scratchError(err)
	}
	if err := w.Close(); err != nil {
		return s.scratchError(err)
	}
	run, err := Open(f, w.Size(), 0) // a bare one has no filters
	if err != nil {
		return s.scratchError(err)
	}
	s.spills[len(s.spills)-1].run = run
	return nil
}

// removeSpills removes the scratch files from the given one on.
func (s *Sorter) removeSpills(from int) error {
	var errs []error
	for _, sp := range s.spills[from:] {
		if err := errors.Join(sp.f.Close(), os.Remove(sp.f.Name())); err != nil {
			errs = append(errs, fmt.Errorf("removing a scratch file of the index: %w", err))
		}
	}
	s.spills = s.spills[:from]
	return errors.Join(errs...)
}

func (s *Sorter) scratchError(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("scratch folder %s is full: free space there or set scratch_dir to a larger disk; nothing has become visible: %w", s.dir, err)
	}
	return fmt.Errorf("sorting index entries in %s: %w", s.dir, err)
}
