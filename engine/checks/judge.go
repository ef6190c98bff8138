package checks

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/column"
	"reconcile/internal/definition"
)

// Subject is what a check judges of a step: the rows of some dumps, sorted. Those that the
// table had before, or that were accepted, are none of them.
type Subject struct {
	Check definition.Check
	Dumps []int64
}

// Verdict is what the checks found.
type Verdict struct {
	Failed []plan.FailedCheck // in the order of the checks
	Judged []string           // names of the checks that judged something
	Dump   int64              // the newest of the step
}

// Judge judges a step. Checks of which nothing is to be judged pass.
func (s *Step) Judge(ctx context.Context, subjects []Subject) (*Verdict, error) {
	var judges []rowJudge
	all := []int64{}
	for _, x := range subjects {
		if j := s.judgeOf(x); j != nil {
			judges = append(judges, j)
			all = append(all, x.Dumps...)
		}
	}
	slices.Sort(all)
	if err := s.readJudged(ctx, judges, slices.Compact(all)); err != nil {
		return nil, closeJudges(judges, err)
	}
	out := &Verdict{Dump: s.newest()}
	for _, x := range subjects {
		f, judged, err := s.verdict(ctx, x, judges)
		if err != nil {
			return nil, closeJudges(judges, fmt.Errorf("%s: %w", plan.CheckAddress(x.Check.Name), err))
		}
		if judged {
			out.Judged = append(out.Judged, x.Check.Name)
		}
		if f != nil {
			out.Failed = append(out.Failed, *f)
		}
	}
	return out, closeJudges(judges, nil)
}

// rowJudge judges rows by one check.
type rowJudge interface {
	subject() *Subject
	// columns are those that it reads.
	columns() []column.Column
	// take judges rows of its dumps.
	take(ctx context.Context, r rowsOf) error
	// finish says how many were judged and failed, with some of those that failed.
	finish(ctx context.Context) (*outcome, error)
	// close gives up what it has in files.
	close() error
}

// outcome is what a check found of rows.
type outcome struct {
	judged, failed int64
	sample         sample
}

// judgeOf makes the judge of rows that a check needs; nil if it needs none, or there is
// nothing to judge.
func (s *Step) judgeOf(x Subject) rowJudge {
	if len(x.Dumps) == 0 {
		return nil
	}
	switch x.Check.Kind {
	case definition.NotNull:
		return newNotNull(s, x)
	case definition.AcceptedValues:
		return newAcceptedValues(s, x)
	case definition.Unique:
		return newUnique(s, x)
	case definition.KnownUsers:
		return newKnownUsers(s, x)
	}
	return nil
}

// readJudged hands the rows of some dumps to those who judge them: the staged files are
// read once for all.
func (s *Step) readJudged(ctx context.Context, judges []rowJudge, dumps []int64) error {
	if len(judges) == 0 {
		return nil
	}
	var want []column.Column
	for _, j := range judges {
		for _, c := range j.columns() {
			if !slices.ContainsFunc(want, func(w column.Column) bool { return w.Name == c.Name }) {
				want = append(want, c)
			}
		}
	}
	var own []int
	return s.each(ctx, s.staged(), dumps, false, want, func(r rowsOf) error {
		for _, j := range judges {
			mine := r
			if of := j.subject().Dumps; len(of) < len(dumps) {
				own = own[:0]
				for _, i := range r.at {
					if _, in := slices.BinarySearch(of, r.dumps[i]); in {
						own = append(own, i)
					}
				}
				mine.at = own
			}
			if err := j.take(ctx, mine); err != nil {
				return err
			}
		}
		return nil
	})
}

// verdict is that of one check: nil if it passes.
func (s *Step) verdict(ctx context.Context, x Subject, judges []rowJudge) (_ *plan.FailedCheck, judged bool, err error) {
	if x.Check.Kind == definition.RowCount {
		f, judged := s.judgeDumps(x)
		return f, judged, nil
	}
	i := slices.IndexFunc(judges, func(j rowJudge) bool { return j.subject().Check.Name == x.Check.Name })
	if i < 0 {
		return nil, false, nil
	}
	o, err := judges[i].finish(ctx)
	if err != nil || o == nil {
		return nil, o != nil, err
	}
	if o.failed == 0 || x.Check.Kind == definition.KnownUsers && x.Check.Allows(o.failed, o.judged) {
		return nil, true, nil
	}
	f := s.failure(x)
	f.Judged, f.Failed, f.Columns, f.Rows = o.judged, o.failed, o.sample.names(), o.sample.rows
	return f, true, nil
}

// failure begins to say that a check failed.
func (s *Step) failure(x Subject) *plan.FailedCheck {
	c := &x.Check
	return &plan.FailedCheck{Check: c.Name, Table: s.Task.Table, Kind: string(c.Kind), Text: c.Text(), Warns: c.Warns, Dump: s.newest()}
}

// newest is the newest dump that the step takes.
func (s *Step) newest() int64 {
	d := s.Task.Deliveries
	return d[len(d)-1].Dump
}

func closeJudges(judges []rowJudge, err error) error {
	for _, j := range judges {
		if closed := j.close(); err == nil {
			err = closed
		}
	}
	return err
}
