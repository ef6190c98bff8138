package checks

import (
	"cmp"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
)

const (
	// comparedDumps are how many dumps before one it is compared with.
	comparedDumps = 14
	// leastCompared is how many of them there must be: one alone may be the first load.
	leastCompared = 3
)

// judgeDumps compares the rows of each dump with the median of those before it. Only
// dumps that are not full resyncs are compared, and only with those behind the newest
// resync: what that voids may never be read. So it does not matter which dumps are taken
// together.
func (s *Step) judgeDumps(x Subject) (_ *plan.FailedCheck, judged bool) {
	rows := s.rowsOfDumps()
	f := s.failure(x)
	for _, id := range x.Dumps {
		at, ok := slices.BinarySearchFunc(rows, id, func(d exec.DumpRows, id int64) int { return cmp.Compare(d.Dump, id) })
		if !ok {
			continue
		}
		before := rows[max(0, at-comparedDumps):at]
		if len(before) < leastCompared {
			continue
		}
		f.Judged++
		twice := twiceMedian(before)
		if !x.Check.AllowsRows(rows[at].Rows, twice) {
			f.Failed++
			f.Dumps = append(f.Dumps, plan.DumpCount{Dump: id, Rows: rows[at].Rows, TwiceMedian: twice})
		}
	}
	if f.Failed == 0 {
		return nil, f.Judged > 0
	}
	return f, true
}

// rowsOfDumps lists the rows of the dumps that can be compared, by dump: those that the
// table has and those that the step takes.
func (s *Step) rowsOfDumps() []exec.DumpRows {
	counts := map[int64]int64{}
	for _, list := range [][]exec.DumpRows{s.DumpRows, s.Done.DumpRows} {
		for _, d := range list {
			counts[d.Dump] = d.Rows
		}
	}
	var out []exec.DumpRows
	for _, a := range s.Task.AppliedAfter() {
		if n, known := counts[a.Dump]; known && a.Incremental && !a.Skipped && s.Task.Live(a.Dump) {
			out = append(out, exec.DumpRows{Dump: a.Dump, Rows: n})
		}
	}
	return out
}

// twiceMedian is twice the median, which then is a whole number.
func twiceMedian(list []exec.DumpRows) int64 {
	rows := make([]int64, len(list))
	for i, d := range list {
		rows[i] = d.Rows
	}
	slices.Sort(rows)
	n := len(rows)
	return rows[(n-1)/2] + rows[n/2]
}
