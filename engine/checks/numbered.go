package checks

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/keyset"
	"reconcile/internal/column"
)

// Checks that compare rows with others sort them, each as a number that stands for what is
// compared, and the row's own number: its place among those that the check judges. What
// does not fit into memory is sorted in the scratch folder. The few rows to show are then
// found again by their numbers.

// numbered are rows with their numbers.
type numbered struct {
	s     *Step
	of    Subject
	show  sample
	rows  int64
	files *keyset.Collector
}

func newNumbered(s *Step, x Subject, checked []column.Column) numbered {
	return numbered{s: s, of: x, show: newSample(s.Task.Schema, checked), files: s.space().Collect(s.Env.Limits.Budget.Workers())}
}

// space is where rows are sorted.
func (s *Step) space() keyset.Space {
	return keyset.Space{Dir: s.Env.Limits.Scratch, Rows: s.Env.Limits.Budget.IndexEntries()}
}

func (n *numbered) subject() *Subject { return &n.of }
func (n *numbered) close() error      { return n.files.Close() }

// sorted hands on what was collected, in its order.
func (n *numbered) sorted(ctx context.Context, use func(keyset.Row) error) (err error) {
	set, err := n.files.Seal(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	return set.Each(ctx, use)
}

// smallest are the least of the numbers that it was given, in their order.
type smallest []int64

func (s *smallest) add(n int64) {
	at, _ := slices.BinarySearch(*s, n)
	if at == mostSamples {
		return
	}
	*s = slices.Insert(*s, at, n)
	*s = (*s)[:min(len(*s), mostSamples)]
}

// find shows the rows of some numbers.
func (n *numbered) find(ctx context.Context, numbers smallest) error {
	if len(numbers) == 0 {
		return nil
	}
	at, done := int64(0), errors.New("all are found")
	err := n.s.each(ctx, n.s.staged(), n.of.Dumps, false, n.show.columns, func(r rowsOf) error {
		for _, i := range r.at {
			if len(numbers) > 0 && numbers[0] == at {
				n.show.add(r, i)
				numbers = numbers[1:]
			}
			at++
		}
		if len(numbers) == 0 {
			return done
		}
		return nil
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}
