package rows

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/rules"
)

// Reduction is how spilled segments are merged until few enough are left to be merged at
// once: the smallest first, wave after wave, the merges of a wave side by side.
type Reduction struct {
	segments []*Segment // at their places
	waves    [][]merge
	workers  int
}

// merge is the places of segments that become one, whose place is the next that is free.
type merge []int

// candidate is a segment that can be merged: its place, and how many rows it has.
type candidate struct{ at, n int }

// PlanReduction plans the merges of segments until at most so many spilled ones are left, by
// so many goroutines. Each merge has at most so many segments, too. The segments must not
// change before they are merged.
func PlanReduction(segments []*Segment, most, workers int) *Reduction {
	r := &Reduction{segments: segments, workers: max(workers, 1)}
	var encoded, columns []candidate
	for at, s := range segments {
		switch {
		case !s.spilled():
		case s.scratch.cols == nil:
			encoded = append(encoded, candidate{at, s.n})
		default:
			columns = append(columns, candidate{at, s.n})
		}
	}
	r.plan(encoded, columns, max(most, 2))
	return r
}

// plan plans waves. Encoded rows are not merged with columns.
func (r *Reduction) plan(encoded, columns []candidate, most int) {
	free := len(r.segments)
	for len(encoded)+len(columns) > most {
		from := &encoded
		if len(columns) > len(encoded) {
			from = &columns
		}
		slices.SortStableFunc(*from, func(a, b candidate) int { return a.n - b.n })
		count, size := mergesOf(len(*from), len(encoded)+len(columns)-most, most, r.workers)
		wave, merged := make([]merge, count), make([]candidate, count)
		for i, c := range (*from)[:size] {
			to := i % count
			wave[to] = append(wave[to], c.at)
			merged[to].n += c.n
		}
		for i := range merged {
			merged[i].at = free
			free++
		}
		r.waves = append(r.waves, wave)
		*from = append((*from)[size:], merged...)
	}
}

// mergesOf is how many merges of a wave there are, and of how many segments together, where
// so many are too many: each of at most so many, and at least one for each goroutine.
func mergesOf(segments, tooMany, most, workers int) (count, size int) {
	count = max((tooMany+most-2)/(most-1), min(workers, tooMany))
	size = min(tooMany+count, segments)
	count = min(count, size/2)
	return count, min(size, count*most)
}

// Rows is how many rows the merges write: a row that is merged twice counts twice, and one
// that is to be dropped as if it stayed.
func (r *Reduction) Rows() int64 {
	var lengths []int64
	for _, s := range r.segments {
		lengths = append(lengths, int64(s.n))
	}
	all := int64(0)
	for _, wave := range r.waves {
		for _, m := range wave {
			n := int64(0)
			for _, at := range m {
				n += lengths[at]
			}
			lengths = append(lengths, n)
			all += n
		}
	}
	return all
}

// Run merges, and returns all segments that there are then. Each merge holds a block of each
// of its segments. Rows that are to be dropped are gone then. passed is told of rows that were
// merged, by several goroutines. Also after an error all that is returned must be closed.
func (r *Reduction) Run(ctx context.Context, dir string, block ScratchBlock, passed func(rows int)) ([]*Segment, error) {
	segments := r.segments
	for _, wave := range r.waves {
		merged := make([]*Segment, len(wave))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(r.workers)
		for i, m := range wave {
			g.Go(func() (err error) {
				from := make([]*Segment, len(m))
				for j, at := range m {
					from[j] = segments[at]
				}
				merged[i], err = mergeSegments(ctx, from, dir, block, passed)
				return err
			})
		}
		err := g.Wait()
		segments = slices.Concat(segments, merged)
		if err != nil {
			return there(segments), scratchError(dir, err)
		}
		for _, m := range wave {
			for _, at := range m {
				segments[at] = nil
			}
		}
	}
	return there(segments), nil
}

// there are the segments at their places that are not merged yet.
func there(segments []*Segment) []*Segment {
	return slices.DeleteFunc(segments, func(s *Segment) bool { return s == nil })
}

// mergeSegments makes one spilled segment of several, and closes these.
func mergeSegments(ctx context.Context, from []*Segment, dir string, block ScratchBlock, passed func(rows int)) (*Segment, error) {
	w := scratchWriter{most: block}
	if err := w.begin(dir, from[0].scratch.cols, from[0].secret); err != nil {
		return nil, err
	}
	all := 0
	for _, s := range from {
		all += s.n
	}
	to := &Segment{secret: from[0].secret, Verdicts: NewVerdicts(all), scratch: w.file}
	err := to.mergeInto(ctx, &w, from, passed)
	if err = w.end(err); err != nil {
		return nil, err
	}
	var errs []error
	for _, s := range from {
		errs = append(errs, s.Close())
	}
	return to, errors.Join(errs...)
}

// toldRows is after how many rows somebody is told of them.
const toldRows = 4096

// mergeInto writes the rows of other segments, one partition after the other.
func (s *Segment) mergeInto(ctx context.Context, w *scratchWriter, from []*Segment, passed func(rows int)) error {
	seen := 0
	for _, value := range Partitions(from) {
		var cursors []Cursor
		for _, f := range from {
			if c := f.Open(value); c != nil {
				cursors = append(cursors, c)
			}
		}
		first := s.n
		err := Merge(ctx, cursors, func(ch *Chunk, i int) error {
			if seen++; seen%toldRows == 0 {
				passed(toldRows)
			}
			return s.write(ctx, w, ch, i)
		})
		if err == nil {
			err = w.flush(ctx)
		}
		if err != nil {
			return err
		}
		s.endPart(value, first)
	}
	passed(seen % toldRows)
	return nil
}

// write adds a row, unless it is to be dropped, to a segment that is being written.
func (s *Segment) write(ctx context.Context, w *scratchWriter, ch *Chunk, i int) error {
	v := ch.Verdict(i)
	if v == rules.Drop {
		return nil
	}
	if v != rules.Publish {
		s.Verdicts.Set(s.n, v)
	}
	s.n++
	return w.add(ctx, ch, i)
}

// endPart ends the rows of a partition, from one on.
func (s *Segment) endPart(value int64, first int) {
	if s.n > first {
		s.Parts = append(s.Parts, PartRange{value, first, s.n})
	}
}
