package verify

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/lake"
)

// job is one table that is verified, and what that takes.
type job struct {
	source *source
	lake   *lake.Lake
	piles  *piles
	sample Sample
	tell   exec.Events
	load   load
	read   atomic.Int64 // of part files that were read
	part   int64        // bytes of rows of a data file that a goroutine reads at once
	a      *applied
	people *people
	out    *Table
}

// piled makes the piles of delivered rows and, by sink, of published ones.
func (j *job) piled() (delivered *pile, published []*pile) {
	n := len(j.a.record.Sinks)
	for range n {
		published = append(published, j.piles.pile(1+n))
	}
	return j.piles.pile(1 + n), published
}

// haveRead notes how many rows the part files had, and which of these could not be read.
func (j *job) haveRead(files []*sourceFile) {
	j.load.rows = j.read.Load()
	j.tell.Expect(exec.Comparing, j.load.workOfRest())
	for _, f := range files {
		if f.lost != "" {
			j.out.gone(f.dump, f.key, f.lost)
		}
	}
}

// verdict is what was found of the rows of a heap.
type verdict struct {
	read, rows int64
	sinks      []found
}

// found is what was found of them in one sink.
type found struct {
	differences, unchecked int64
	first                  []difference // of these, up to mostKeys
}

// difference is a Difference whose columns may be still to be found out, which takes long.
type difference struct {
	Difference
	explain func() ([]Value, error)
}

func (f *found) add(d Difference) { f.addUnexplained(d, nil) }

func (f *found) addUnexplained(d Difference, explain func() ([]Value, error)) {
	f.differences++
	if len(f.first) < mostKeys {
		f.first = append(f.first, difference{d, explain})
	}
}

// judgedOfDelivered is about how many bytes judging takes for each byte of part files.
const judgedOfDelivered = 8

// judges is how many heaps of so many bytes of part files are judged at a time by so many
// goroutines: one where they are large.
func judges(delivered int64, workers, limit int) int {
	if delivered/heaps*judgedOfDelivered*int64(workers) > int64(limit) {
		return 1
	}
	return workers
}

// judge judges what was read, heap by heap, several at a time. What is found is told in
// the order of the heaps.
func (j *job) judge(ctx context.Context, one func(heap int, v *verdict) error) error {
	judged := j.tell.Stretch(exec.Judging, heaps, j.load.workOfJudging())
	verdicts := make([]verdict, j.load.judges)
	for first := 0; first < heaps; first += len(verdicts) {
		g, ctx := errgroup.WithContext(ctx)
		for i := range verdicts[:min(len(verdicts), heaps-first)] {
			g.Go(func() error {
				verdicts[i] = verdict{sinks: make([]found, len(j.out.Sinks))}
				return errors.Join(ctx.Err(), one(first+i, &verdicts[i]))
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i := range verdicts {
			if err := j.enter(&verdicts[i]); err != nil {
				return err
			}
			verdicts[i] = verdict{}
		}
		judged.PassBytes(int64(len(verdicts)))
	}
	return nil
}

// enter enters a verdict in the report.
func (j *job) enter(v *verdict) error {
	j.out.Read, j.out.Rows = j.out.Read+v.read, j.out.Rows+v.rows
	for i := range v.sinks {
		f, out := &v.sinks[i], j.out.Sinks[i]
		out.Unchecked += f.unchecked
		out.Differences += f.differences
		for _, d := range f.first[:min(len(f.first), max(mostKeys-len(out.Keys), 0))] {
			if d.explain != nil {
				var err error
				if d.Columns, err = d.explain(); err != nil {
					return err
				}
			}
			out.Keys = append(out.Keys, d.Difference)
		}
	}
	return nil
}
