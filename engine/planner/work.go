package planner

import (
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Work is about how much work a step of a table is with a budget, as package exec measures
// it.
func Work(t *Table, step plan.Step, b exec.Budget) int64 {
	switch {
	case step.Kind == plan.StepTake:
		return workOfTaking(t, b)
	case step.Kind != plan.StepChange || step.Class == plan.ClassMetadata:
		return 0
	case step.Class == plan.ClassRebuild:
		return WorkOfAll(t, b, t.rereads, 0) + workOfFiles(t)
	case OnlySinks(t):
		return exec.WorkOfCopying(bytesToCopy(t))
	case slices.ContainsFunc(t.settings, func(s plan.Setting) bool { return s.Name == "partition_by" }):
		return WorkOfAll(t, b, 0, bytesInSink(t)) + exec.WorkOfNewFiles(t.bytesNow())
	}
	return WorkOfAll(t, b, 0, bytesInSink(t)) + workOfFiles(t)
}

// workOfTaking is the work of taking the dumps that are pending.
func workOfTaking(t *Table, b exec.Budget) int64 {
	in, _, resync := liveBytes(t)
	switch {
	case t.Old == nil:
		return WorkOfAll(t, b, in, 0) + exec.WorkOfNewFiles(exec.PublishedOf(in)*int64(sinksOf(t)))
	case resync:
		return WorkOfAll(t, b, in, 0) + workOfFiles(t)
	case t.Kind == feed.KindUsers && mostUsers(t, b, in):
		return WorkOfAll(t, b, in, bytesInSink(t))
	case t.Kind == feed.KindUsers:
		return exec.WorkOfReading(t.Kind, in) + exec.WorkOfKept(bytesKept(t)) + exec.WorkOfSplicing(bytesInSink(t), sinksOf(t)) + exec.WorkOfWriting(exec.PublishedOf(in), sinksOf(t))
	case t.Scratch > 0: // what comes does not fit in memory: all that the table has is judged again
		return WorkOfAll(t, b, in, bytesInSink(t)) + workOfFiles(t)
	}
	spliced := t.replaces / int64(sinksOf(t))
	return in + exec.WorkOfProbing(in) + exec.WorkOfWriting(exec.PublishedOf(in), sinksOf(t)) + exec.WorkOfLooking(spliced) + exec.WorkOfSplicing(spliced, sinksOf(t))
}

// mostUsers reports whether part files of so many bytes are about too many users for a pass
// that takes only what changes: half of them, or more than stay in memory.
func mostUsers(t *Table, b exec.Budget, in int64) bool {
	return exec.PublishedUsers(in) > bytesInSink(t)/2 || !b.UsersDelta().Holds(in)
}

// WorkOfAll is the work of writing all rows of a table: those of part files and those that it
// has, of so many bytes each.
func WorkOfAll(t *Table, b exec.Budget, delivered, stored int64) int64 {
	if t.Kind == feed.KindUsers {
		kept := int64(0)
		if stored > 0 {
			kept = bytesKept(t)
		}
		return exec.WorkOfReading(t.Kind, delivered) + exec.WorkOfKept(kept) + exec.WorkOfReducing(delivered, b) + exec.WorkOfUsers(kept, delivered, b, sinksOf(t))
	}
	writing := exec.WorkOfMerging(delivered, stored, b, sinksOf(t))
	if t.Definition != nil && t.Definition.Partition.Unit == definition.UnitNone {
		writing += exec.WorkOfLargest(writing, 1, 1, b)
	}
	return delivered + exec.WorkOfStored(stored) + exec.WorkOfSpilled(delivered, stored, b) + writing
}

// workOfFiles is what writing the partitions of a table takes beside the work of their rows.
func workOfFiles(t *Table) int64 {
	return exec.WorkOfFiles(len(t.Parts)*sinksOf(t), len(t.Old.Columns))
}

// sinksOf is how many sinks the table is in or, if it is new, comes to: one at least.
func sinksOf(t *Table) int {
	if t.Old == nil {
		return max(len(t.Definition.Sinks), 1)
	}
	return max(len(t.Old.Sinks), 1)
}

// bytesInSink is what the table takes in one of its sinks.
func bytesInSink(t *Table) int64 { return t.bytesNow() / int64(sinksOf(t)) }

// bytesKept is the size of the latest rows that are kept of all users.
func bytesKept(t *Table) int64 {
	n := int64(0)
	for _, run := range t.Old.KeptUsers() {
		n += run.Size
	}
	return n
}

// liveBytes is how many bytes of part files count that the table takes, and how many files
// it takes. resync says that they begin with a full resync: what is below it is not read.
func liveBytes(t *Table) (in int64, files int, resync bool) {
	for _, d := range t.Dumps {
		if d.Resync && !d.Void {
			in, resync = 0, true
		}
		if !d.Void {
			in += d.Bytes
			files += d.Files
		}
	}
	return in, files, resync
}
