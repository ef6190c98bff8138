// Package keyset counts distinct rows by their raw user and key, with memory that does not
// grow with them: what does not fit is sorted into files of a scratch folder.
//
// It promises that keys are compared as they are, not by a hash.
package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"reconcile/engine/index"
)

// Row is what tells the rows of a table apart that are not versions of one: the raw user,
// and the key where the table has one.
type Row struct{ Raw, Key int64 }

// A key is kept in the place of an entry of the index, which has as many bits.
func (r Row) entry() index.Entry {
	return index.Entry{Raw: r.Raw, Part: uint32(uint64(r.Key) >> 32), Hash: uint32(r.Key)}
}

// Space is where sets are made: a folder for what does not fit into memory, and how many
// rows each of them may hold there while it is collected.
type Space struct {
	Dir  string
	Rows int
}

// Collector collects rows, each any number of times. One goroutine uses it.
type Collector struct {
	space  Space
	sorter *index.Sorter
}

// Collect returns a collector, which wants Close.
func (s Space) Collect(workers int) *Collector {
	c := &Collector{space: s, sorter: index.NewSorter(s.Dir, s.Rows)}
	c.sorter.Workers = workers
	return c
}

// Add takes one row.
func (c *Collector) Add(ctx context.Context, r Row) error { return c.sorter.Add(ctx, r.entry()) }

// AddSet takes the rows of a set.
func (c *Collector) AddSet(ctx context.Context, s *Set) error {
	return s.each(ctx, func(entries []index.Entry) error {
		for _, e := range entries {
			if err := c.sorter.Add(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Seal makes a set of the rows, which wants Close. The collector only wants Close then.
func (c *Collector) Seal(ctx context.Context) (_ *Set, err error) {
	to := &overflow{dir: c.space.Dir, limit: c.space.Rows * bytesOfRow}
	s := &Set{content: to}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	w := index.NewWriter(to)
	if err := errors.Join(c.sorter.WriteTo(ctx, w), w.Close()); err != nil {
		return nil, fmt.Errorf("collecting the keys of rows: %w", err)
	}
	s.rows = w.Entries()
	s.run, err = index.Open(to, w.Size(), 0)
	return s, err
}

// Close gives up what was collected.
func (c *Collector) Close() error { return c.sorter.Close() }

// Set is a set of rows.
type Set struct {
	content *overflow
	run     *index.Run
	rows    int64
}

// Len is how many rows there are.
func (s *Set) Len() int64 {
	if s == nil {
		return 0
	}
	return s.rows
}

// Close removes what the set has in files. A nil set has nothing.
func (s *Set) Close() error {
	if s == nil {
		return nil
	}
	return s.content.Close()
}

// Each hands on the rows in their order: by raw user, then by the key as a number without
// a sign.
func (s *Set) Each(ctx context.Context, use func(Row) error) error {
	return s.each(ctx, func(entries []index.Entry) error {
		for _, e := range entries {
			if err := use(Row{Raw: e.Raw, Key: int64(uint64(e.Part)<<32 | uint64(e.Hash))}); err != nil {
				return err
			}
		}
		return nil
	})
}

// each hands on the rows in their order, at least one at a time.
func (s *Set) each(ctx context.Context, use func([]index.Entry) error) error {
	if s.Len() == 0 {
		return nil
	}
	for scan := s.run.Scan(); ; {
		entries, err := scan.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := use(entries); err != nil {
			return err
		}
	}
}

// Missing counts the rows that other does not have.
func (s *Set) Missing(ctx context.Context, other *Set) (missing int64, err error) {
	missing = s.Len()
	if missing == 0 || other.Len() == 0 {
		return missing, nil
	}
	scan, left := other.run.Scan(), []index.Entry(nil)
	next := func() (ok bool, err error) {
		for len(left) == 0 {
			if left, err = scan.Next(ctx); errors.Is(err, io.EOF) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
		return true, nil
	}
	err = s.each(ctx, func(entries []index.Entry) error {
		for _, e := range entries {
			for {
				ok, err := next()
				if err != nil || !ok {
					return err
				}
				c := index.Compare(left[0], e)
				if c > 0 {
					break
				}
				left = left[1:]
				if c == 0 {
					missing--
					break
				}
			}
		}
		return nil
	})
	return missing, err
}

// bytesOfRow is about what a row takes while it is collected.
const bytesOfRow = 16

// overflow keeps bytes in memory up to a limit, and in a file beyond it.
type overflow struct {
	dir   string
	limit int
	mem   bytes.Buffer
	file  *os.File
}

// Write implements io.Writer.
func (o *overflow) Write(b []byte) (int, error) {
	if o.file == nil && o.mem.Len()+len(b) <= o.limit {
		return o.mem.Write(b)
	}
	if o.file == nil {
		f, err := os.CreateTemp(o.dir, "keys-*")
		if err != nil {
			return 0, fmt.Errorf("scratch_dir: %w", err)
		}
		if o.file = f; o.mem.Len() > 0 {
			if _, err := f.Write(o.mem.Bytes()); err != nil {
				return 0, fmt.Errorf("scratch_dir: %w", err)
			}
		}
		o.mem = bytes.Buffer{}
	}
	n, err := o.file.Write(b)
	if err != nil {
		err = fmt.Errorf("scratch_dir: %w", err)
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (o *overflow) ReadAt(b []byte, at int64) (int, error) {
	if o.file != nil {
		return o.file.ReadAt(b, at)
	}
	return bytes.NewReader(o.mem.Bytes()).ReadAt(b, at)
}

// Close removes the file.
func (o *overflow) Close() error {
	if o.file == nil {
		return nil
	}
	err := errors.Join(o.file.Close(), os.Remove(o.file.Name()))
	o.file = nil
	return err
}
