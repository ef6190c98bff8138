package chain

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
)

const (
	// listFrom is how many records are read one by one before the log is listed.
	listFrom = 4
	// readAhead is how many records that are known to be there are read at a time.
	readAhead = 16
)

// entries reads records in order. Those of which a listing tells that they are there
// are read several at a time; the listing says nothing of where the log ends. It is
// for one goroutine.
type entries struct {
	c          *Chain
	listed     []uint64 // serials, sorted
	surveyed   bool
	read       int // records
	prefetched map[uint64]entry
}

// entry is what came of reading a record.
type entry struct {
	r   *Record
	err error
}

// next reads one record. It fails with fs.ErrNotExist where none is.
func (e *entries) next(ctx context.Context, serial uint64) (*Record, error) {
	if got, ok := e.prefetched[serial]; ok {
		delete(e.prefetched, serial)
		return got.r, got.err
	}
	if e.read++; e.read > listFrom && !e.surveyed {
		_, serials, err := e.c.place.survey(ctx)
		if err != nil {
			return nil, err
		}
		e.listed, e.surveyed = serials, true
	}
	if i, ok := slices.BinarySearch(e.listed, serial); ok {
		if n := run(e.listed[i:]); n > 1 {
			return e.fetch(ctx, serial, n)
		}
	}
	r, _, err := e.c.place.record(ctx, serial)
	return r, err
}

// run is how many serials follow each other, of those that are read at a time.
func run(serials []uint64) int {
	n := 1
	for n < len(serials) && n < readAhead && serials[n] == serials[0]+uint64(n) {
		n++
	}
	return n
}

// fetch reads n records and returns the first. What goes wrong with another one is
// told when its turn comes.
func (e *entries) fetch(ctx context.Context, serial uint64, n int) (*Record, error) {
	got := make([]entry, n)
	var g errgroup.Group
	for i := range got {
		g.Go(func() error {
			r, _, err := e.c.place.record(ctx, serial+uint64(i))
			got[i] = entry{r, err}
			return nil
		})
	}
	_ = g.Wait()
	e.prefetched = map[uint64]entry{}
	for i := range got[1:] {
		e.prefetched[serial+uint64(i)+1] = got[i+1]
	}
	return got[0].r, got[0].err
}
