package events

import (
	"errors"
	"sync"

	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// intake is the rows that a pass takes in. Those that are delivered are for the delta path
// while they all stay in memory, and where the task permits it. From the first on that are
// to be spilled all of them are judged as the bulk path does it, together with those that
// the table has: nothing that was read is read again.
type intake struct {
	*ingest.Ingest

	mu      sync.Mutex
	all     bool      // the rows go to the decider
	waiting []segment // that the decider gets if all rows go to it
	decider *rows.Decider
}

// segment is a segment and its number.
type segment struct {
	*rows.Segment
	n int
}

func newIntake(r *pass.Run) *intake {
	in := &intake{Ingest: r.NewIngest(r.Schema), all: !r.Task.Permitted.Delta}
	in.decider = rows.NewDecider(r.Env.Limits.Scratch, r.Env.Limits.Budget.Verdicts(), r.Canon, func(loc uint64, v rules.Verdict) {
		in.Segments[loc>>locBits].Verdicts.Set(int(loc&(1<<locBits-1)), v)
	})
	in.OnSegment = in.take
	return in
}

// take takes a segment, which is spilled next if it does not fit.
func (in *intake) take(n int, s *rows.Segment, fits bool) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting = append(in.waiting, segment{s, n})
	if fits && !in.all {
		return nil
	}
	return in.judgeAll()
}

// fits reports whether all rows so far are in memory, for the delta path.
func (in *intake) fits() bool { return !in.all }

// judgeAll hands all rows to the decider, those that were taken so far and those that come.
// Nothing else is taken meanwhile.
func (in *intake) judgeAll() error {
	in.all = true
	for _, s := range in.waiting {
		if err := in.decider.AddSegment(s.Rows(), func(i int) uint64 { return uint64(s.n)<<locBits | uint64(i) }); err != nil {
			return err
		}
	}
	in.waiting = nil
	return nil
}

func (in *intake) close() error { return errors.Join(in.decider.Close(), in.Close()) }
