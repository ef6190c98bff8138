package planner

import (
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// Work is about how much work a step of a table is, as package exec measures it.
func Work(t *Table, step plan.Step) int64 {
	now := t.bytesNow()
	switch {
	case step.Kind == plan.StepTake:
		in, _, resync := liveBytes(t)
		come := publishedSize(t, in)
		switch {
		case t.Old == nil:
			return in + exec.WorkOfNew(come)
		case resync:
			return in + exec.WorkOfWriting(come) + workOfFiles(t, len(t.Parts))
		}
		sinks := max(len(t.Old.Sinks), 1)
		if t.Scratch > 0 && t.Kind == feed.KindEvents { // what comes does not fit in memory: all that the table has is judged again
			return in + exec.WorkOfStored(now/int64(sinks)) + exec.WorkOfSpilled(exec.WorkOfWriting(now+come)) + workOfFiles(t, len(t.Parts))
		}
		spliced := t.replaces / int64(sinks)
		return in + exec.WorkOfProbing(in) + exec.WorkOfWriting(come) + exec.WorkOfLooking(spliced) + exec.WorkOfSplicing(spliced, sinks)
	case step.Kind != plan.StepChange || step.Class == plan.ClassMetadata:
		return 0
	case step.Class == plan.ClassRebuild:
		written := max(now, exec.PublishedOf(t.rereads)*int64(max(len(t.Old.Sinks), 1)))
		return t.rereads + exec.WorkOfWriting(written) + workOfFiles(t, len(t.Parts))
	}
	read := exec.WorkOfStored(now / int64(max(len(t.Old.Sinks), 1)))
	if slices.ContainsFunc(t.settings, func(s plan.Setting) bool { return s.Name == "partition_by" }) {
		return read + exec.WorkOfNew(now)
	}
	return read + exec.WorkOfWriting(now) + workOfFiles(t, len(t.Parts))
}

// workOfFiles is what writing so many partitions of a table takes beside the work of their rows.
func workOfFiles(t *Table, parts int) int64 {
	return exec.WorkOfFiles(parts*len(t.Old.Sinks), len(t.Old.Columns))
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
