package quarantine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"

	"reconcile/engine/exec"
)

// Collector takes rows in any order until they are written: as many as its limit in
// memory, the others in scratch files without a name, which are gone when it is closed,
// whatever becomes of the program. Any number of goroutines may add rows. A nil Collector
// has none.
type Collector struct {
	space Space
	mu    sync.Mutex
	rows  []Row
	held  int   // bytes of rows
	runs  []run // of falling levels
	count map[int64]int64
}

// Space is what a Collector may use.
type Space struct {
	Bytes int                               // of rows in memory
	Temp  func() (file *os.File, err error) // makes a file that has no name any more
}

// run is rows in a file, in their order. That of level n was merged of mergedRuns of the
// level below.
type run struct {
	file  *os.File
	level int
}

// mergedRuns is how many runs are merged into one: few, as a merge holds a part of each.
const mergedRuns = 16

// rowSize is about what a row takes in memory beside its texts.
const rowSize = 96

// NewCollector returns a collector without rows.
func NewCollector(s Space) *Collector { return &Collector{space: s, count: map[int64]int64{}} }

// UnnamedIn makes a file in a folder that has no name any more.
func UnnamedIn(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "rejected-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Add takes rows.
func (c *Collector) Add(ctx context.Context, rows ...Row) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range rows {
		c.rows = append(c.rows, r)
		c.count[r.Dump]++
		if c.held += rowSize + len(r.Data) + len(r.Reason); c.held >= c.space.Bytes {
			if err := c.spill(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Len returns the number of rows.
func (c *Collector) Len() int64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(0)
	for _, k := range c.count {
		n += k
	}
	return n
}

// spill moves the rows in memory to a run, and merges runs as they become many.
func (c *Collector) spill(ctx context.Context) error {
	slices.SortFunc(c.rows, compareRows)
	if err := c.addRun(0, sliceOf(c.rows)); err != nil {
		return err
	}
	clear(c.rows)
	c.rows, c.held = c.rows[:0], 0
	for {
		last := slices.Clone(c.runs[max(len(c.runs)-mergedRuns, 0):])
		if len(last) < mergedRuns || last[0].level != last[mergedRuns-1].level {
			return nil
		}
		next, err := merged(ctx, last)
		if err != nil {
			return err
		}
		c.runs = c.runs[:len(c.runs)-mergedRuns]
		err = c.addRun(last[0].level+1, next)
		for _, r := range last {
			err = errors.Join(err, r.file.Close())
		}
		if err != nil {
			return err
		}
	}
}

// addRun writes the rows that next returns, until it returns none, as a run.
func (c *Collector) addRun(level int, next source) error {
	f, err := c.space.Temp()
	if err == nil {
		c.runs = append(c.runs, run{f, level})
		err = writeRun(f, next)
	}
	return err
}

// Write stores the rows of each dump as an object of the state, as rows of a table, and
// returns the objects in the order of the dumps.
func (c *Collector) Write(ctx context.Context, store exec.Objects, table string) (out []exec.DumpRef, objects []*exec.Object, err error) {
	if c == nil {
		return nil, nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.rows, compareRows)
	next, err := merged(ctx, c.runs, sliceOf(c.rows))
	if err != nil {
		return nil, nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(c.count)) {
		left := c.count[id]
		obj, err := write(ctx, store, func() (*Row, error) {
			if left == 0 {
				return nil, nil
			}
			left--
			r, err := next()
			if r != nil {
				r.Table = table
			}
			return r, err
		})
		if err != nil {
			return nil, nil, err
		}
		out, objects = append(out, exec.DumpRef{Dump: id, Ref: obj.Ref}), append(objects, obj)
	}
	return out, objects, nil
}

// Close gives up what is in files.
func (c *Collector) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, r := range c.runs {
		errs = append(errs, r.file.Close())
	}
	c.runs = nil
	return errors.Join(errs...)
}

func compareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Dump, b.Dump), cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row))
}
