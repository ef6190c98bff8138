package planner

import (
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// bytesNow is what the table takes in its sinks or, when none is left, in what it
// is made from.
func (t *Table) bytesNow() int64 {
	n := int64(0)
	for _, p := range t.Parts {
		for _, f := range p.Files {
			n += f.Size
		}
	}
	switch {
	case n > 0 || t.Old == nil:
		return n
	case t.Kind == feed.KindUsers:
		return t.Old.Users.Size
	}
	return t.rereads
}

// What is spilled takes about so much of scratch_dir, by the bytes of the files
// that it comes from.
const (
	scratchOfAvro    = 1.2
	scratchOfParquet = 2
)

// scratchOf estimates what a pass takes in scratch_dir: nothing if its rows fit in
// memory. Stored rows are spilled where all rows are judged again, because whole
// says so or as the pending ones are too many for the delta path.
func scratchOf(b exec.Budget, stored, pending int64, whole bool) int64 {
	if !whole && b.Holds(pending) {
		return 0
	}
	if b.Holds(stored + pending) {
		return 0
	}
	return int64(scratchOfAvro*float64(pending) + scratchOfParquet*float64(stored))
}

// estimate fills in what an apply would write, without decoding rows.
func (t *Table) estimate(b exec.Budget) {
	now := t.bytesNow()
	in, whole := int64(0), t.Old == nil || t.Change.Class >= plan.ClassRewrite
	for _, d := range t.Dumps {
		in += d.Bytes
		whole = whole || d.Resync
	}
	t.Scratch = scratchOf(b, now, in, whole)
	switch {
	case t.Old == nil || t.Change.Class == plan.ClassRebuild || t.Change.Class == plan.ClassRewrite:
		t.Partitions, t.BytesToWrite = int64(len(t.Parts)), now+in
	case len(t.Pending) > 0 || t.remap:
		t.Partitions = min(int64(len(t.Parts)), int64(max(1, len(t.Dumps)*2)))
		if n := int64(len(t.Parts)); n > 0 {
			t.BytesToWrite = now*t.Partitions/n + in
		}
	}
	if t.Definition != nil && t.Kind == feed.KindEvents && t.Old == nil {
		t.Partitions = 0
	}
}
