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
		return WorkOfAll(t, b, Delivered(t, t.rereads), exec.Extent{}) + workOfFiles(t)
	case OnlySinks(t):
		return exec.WorkOfCopying(extentOf(t, bytesToCopy(t)).AsStored())
	case slices.ContainsFunc(t.settings, func(s plan.Setting) bool { return s.Name == "partition_by" }):
		return WorkOfAll(t, b, exec.Extent{}, storedOf(t)) + exec.WorkOfNewFiles(t.bytesNow())
	}
	return WorkOfAll(t, b, exec.Extent{}, storedOf(t)) + workOfFiles(t)
}

// workOfTaking is the work of taking the dumps that are pending.
func workOfTaking(t *Table, b exec.Budget) int64 {
	bytes, _, resync := liveBytes(t)
	in := Delivered(t, bytes)
	weight := in.AsDelivered()
	switch {
	case t.Old == nil:
		return WorkOfAll(t, b, in, exec.Extent{}) + exec.WorkOfNewFiles(exec.PublishedOf(bytes)*int64(sinksOf(t)))
	case resync:
		return WorkOfAll(t, b, in, exec.Extent{}) + workOfFiles(t)
	case t.Kind == feed.KindUsers && mostUsers(t, b, bytes):
		return WorkOfAll(t, b, in, storedOf(t))
	case t.Kind == feed.KindUsers:
		return exec.WorkOfReading(t.Kind, weight) + exec.WorkOfKept(bytesKept(t)) + exec.WorkOfSplicing(bytesInSink(t), sinksOf(t)) + exec.WorkOfWriting(in.AsWritten(), sinksOf(t))
	case t.Scratch > 0: // what comes does not fit in memory: all that the table has is judged again
		return WorkOfAll(t, b, in, storedOf(t)) + workOfFiles(t)
	}
	spliced := t.replaces / int64(sinksOf(t))
	return weight + exec.WorkOfProbing(weight) + exec.WorkOfWriting(in.AsWritten(), sinksOf(t)) + exec.WorkOfLooking(spliced) + exec.WorkOfSplicing(spliced, sinksOf(t))
}

// mostUsers reports whether part files of so many bytes are about too many users for a pass
// that takes only what changes: half of them, more than stay in memory, or more than may be
// added to those that are kept.
func mostUsers(t *Table, b exec.Budget, in int64) bool {
	added := int64(0)
	for _, run := range t.Old.UserRuns {
		added += run.Rows
	}
	return exec.KeptAgain(t.Old.Users.Rows, added) || exec.PublishedUsers(in) > bytesInSink(t)/2 || !b.UsersDelta().Holds(in)
}

// WorkOfAll is the work of writing all rows of a table: those that are delivered and those that
// it has.
func WorkOfAll(t *Table, b exec.Budget, delivered, stored exec.Extent) int64 {
	reading := exec.WorkOfReading(t.Kind, delivered.AsDelivered())
	if t.Kind == feed.KindUsers {
		kept := int64(0)
		if stored.Bytes > 0 {
			kept = bytesKept(t)
		}
		return reading + exec.WorkOfKept(kept) + exec.WorkOfReducing(delivered, b) + exec.WorkOfUsers(kept, delivered, b, sinksOf(t))
	}
	writing := exec.WorkOfMerging(delivered, stored, b, sinksOf(t))
	if t.Definition != nil && t.Definition.Partition.Unit == definition.UnitNone {
		writing += exec.WorkOfLargest(writing, 1, 1, b)
	}
	return reading + exec.WorkOfStored(stored.AsStored()) + exec.WorkOfSpilled(delivered, stored, b) + writing
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

// storedOf is what the table has in one of its sinks.
func storedOf(t *Table) exec.Extent { return extentOf(t, bytesInSink(t)) }

// extentOf is what the rows of a table are in data files of so many bytes.
func extentOf(t *Table, bytes int64) exec.Extent {
	e := exec.Extent{Bytes: bytes, Columns: len(t.Old.Columns)}
	if all := bytesInSink(t); all > 0 {
		e.Rows = int64(float64(t.Old.Rows) * float64(bytes) / float64(all))
	}
	return e
}

// Delivered is about what rows part files of so many bytes have, by those that the table has
// or, without any, by its sample.
func Delivered(t *Table, bytes int64) exec.Extent {
	e := exec.Extent{Bytes: bytes}
	switch stored := bytesInSink(t); {
	case t.sampled.Bytes > 0:
		const most = 1 << 40 // whatever a block claims
		e.Rows = int64(min(float64(t.sampled.Rows)*float64(bytes)/float64(t.sampled.Bytes), most))
		e.Columns = t.sampled.Columns
	case t.Old != nil && t.Old.Rows > 0 && stored > 0:
		perByte := rowsPerDelivered(t)
		if perByte == 0 {
			perByte = float64(exec.PublishedOf(bytes)) / float64(max(bytes, 1)) * float64(t.Old.Rows) / float64(stored)
		}
		e.Rows, e.Columns = int64(perByte*float64(bytes)), len(t.Old.Columns)
	}
	return e
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
