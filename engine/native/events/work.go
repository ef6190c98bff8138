package events

import (
	"maps"

	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/internal/definition"
)

// rowsOf counts the rows of partitions in all segments.
func rowsOf(ing *ingest.Ingest, values []int64) []int64 {
	at := make(map[int64]int, len(values))
	for i, v := range values {
		at[v] = i
	}
	out := make([]int64, len(values))
	for _, s := range ing.Segments {
		for _, p := range s.Parts {
			if i, ok := at[p.Part]; ok {
				out[i] += int64(p.Hi - p.Lo)
			}
		}
	}
	return out
}

// stretches begins the writing of partitions of so many rows, and tells that so much is
// left. work has about how much that is of each.
func stretches(e exec.Events, work, rows []int64) []*exec.Stretch {
	all := int64(0)
	out := make([]*exec.Stretch, len(rows))
	for i, n := range rows {
		all += work[i]
		out[i] = e.Stretch(exec.Writing, n, work[i])
	}
	e.Expect(exec.Writing, all)
	return out
}

// expectAll returns about how much work writing all rows of a table is, without what each
// file takes. Where less might have done it tells how much there is to do behind reading
// what is delivered; else what the plan says stays, which knows more of the files.
func expectAll(r *pass.Run, delivered, stored exec.Extent) int64 {
	writing := exec.WorkOfMerging(delivered, stored, r.Env.Limits.Budget, len(r.Task.Sinks))
	if r.Task.Permitted.Delta {
		rest := exec.WorkOfStored(stored.AsStored()) + exec.WorkOfSpilled(delivered, stored, r.Env.Limits.Budget) + writing + r.WorkOfFiles(len(r.OldParts))
		if r.Schema.Partition.Unit == definition.UnitNone {
			rest += exec.WorkOfLargest(writing, 1, 1, r.Env.Limits.Budget)
		}
		r.Env.Events.Expect(exec.Reading, rest)
	}
	return writing
}

// storedOf is what the table has of which all rows are read.
func storedOf(r *pass.Run) exec.Extent {
	if r.Old == nil || r.Task.Fresh {
		return exec.Extent{}
	}
	return r.Stored(r.OldParts...)
}

// addEach adds work to that of each partition.
func addEach(work []int64, more int64) []int64 {
	for i := range work {
		work[i] += more
	}
	return work
}

// divide divides work among partitions, by their rows.
func divide(work int64, rows []int64) []int64 {
	all := int64(0)
	for _, n := range rows {
		all += n
	}
	out := make([]int64, len(rows))
	passed, given := int64(0), int64(0)
	for i, n := range rows {
		passed += n
		upTo := int64(float64(work) * float64(passed) / float64(max(all, 1)))
		out[i], given = upTo-given, upTo
	}
	return out
}

// expect tells how much work there is in judging, by the stored rows of so many bytes, and
// in what is to be written as far as it is known.
func (d *deltaRun) expect(read int64) *exec.Stretch {
	rest := d.WorkOfWriting(d.Delivered(d.ing).AsWritten())
	values := maps.Clone(d.touched)
	for _, s := range d.ing.Segments {
		for _, p := range s.Parts {
			values[p.Part] = true
		}
	}
	for v := range values {
		rest += d.workOfSplicing(d.byValue[v])
	}
	judging := exec.WorkOfLooking(read)
	d.Env.Events.Expect(exec.Judging, judging+rest)
	return d.Env.Events.Stretch(exec.Judging, read, judging)
}

// stretches begins the writing of the touched partitions.
func (d *deltaRun) stretches(values []int64) []*exec.Stretch {
	rows := rowsOf(d.ing, values)
	work := divide(d.WorkOfWriting(d.Delivered(d.ing).AsWritten()), rows)
	for i, v := range values {
		p := d.byValue[v]
		work[i] += d.workOfSplicing(p)
		if p != nil {
			rows[i] += p.Rows
		}
	}
	return stretches(d.Env.Events, work, rows)
}

// workOfSplicing is about the work of what a partition has, nil if it is new: none where
// the rows that come get a file of their own and nothing else changes.
func (d *deltaRun) workOfSplicing(p *exec.Partition) int64 {
	if p == nil {
		return 0
	}
	size := d.StoredBytes(p)
	if size >= d.Task.Thresholds.AppendAt && len(d.changed) == 0 && d.stored[p.Ordinal] == nil {
		return 0
	}
	return d.WorkOfSplicing(size)
}
