package rows

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/rules"
)

// Reduce merges spilled segments, the smallest first, until at most so many are left, and
// returns all that there are then. A merge holds a block of each of its segments. Rows
// that are to be dropped are gone then. Also after an error all that is returned must be
// closed.
func Reduce(ctx context.Context, segments []*Segment, most int, dir string, block ScratchBlock) ([]*Segment, error) {
	most = max(most, 2)
	var encoded, columns, out []*Segment
	for _, s := range segments {
		switch {
		case !s.spilled():
			out = append(out, s)
		case s.scratch.cols == nil:
			encoded = append(encoded, s)
		default:
			columns = append(columns, s)
		}
	}
	for len(encoded)+len(columns) > most {
		from := &encoded
		if len(columns) > len(encoded) {
			from = &columns
		}
		slices.SortStableFunc(*from, func(a, b *Segment) int { return a.n - b.n })
		n := min(most, len(encoded)+len(columns)-most+1, len(*from))
		merged, err := mergeSegments(ctx, (*from)[:n], dir, block)
		if err != nil {
			return slices.Concat(out, encoded, columns), scratchError(dir, err)
		}
		*from = append((*from)[n:], merged)
	}
	return slices.Concat(out, encoded, columns), nil
}

// mergeSegments makes one spilled segment of several, and closes these.
func mergeSegments(ctx context.Context, from []*Segment, dir string, block ScratchBlock) (*Segment, error) {
	w := scratchWriter{most: block}
	if err := w.begin(dir, from[0].scratch.cols, from[0].secret); err != nil {
		return nil, err
	}
	all := 0
	for _, s := range from {
		all += s.n
	}
	to := &Segment{secret: from[0].secret, Verdicts: NewVerdicts(all), scratch: w.file}
	err := to.mergeInto(ctx, &w, from)
	if err = w.end(err); err != nil {
		return nil, err
	}
	var errs []error
	for _, s := range from {
		errs = append(errs, s.Close())
	}
	return to, errors.Join(errs...)
}

// mergeInto writes the rows of other segments, one partition after the other.
func (s *Segment) mergeInto(ctx context.Context, w *scratchWriter, from []*Segment) error {
	for _, value := range Partitions(from) {
		var cursors []Cursor
		for _, f := range from {
			if c := f.Open(value); c != nil {
				cursors = append(cursors, c)
			}
		}
		first := s.n
		err := Merge(ctx, cursors, func(ch *Chunk, i int) error { return s.write(ctx, w, ch, i) })
		if err == nil {
			err = w.flush(ctx)
		}
		if err != nil {
			return err
		}
		s.endPart(value, first)
	}
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
