package exectest

import (
	"os"
	"path/filepath"

	"reconcile/engine/exec"
	"reconcile/sinks"
)

// checkRemovals checks that of the files that a table had before each step exactly those are
// gone after it that its result names. What is there after a step the next one of the table
// says, and of the last one the lake.
func (b *bed) checkRemovals(steps []doneStep) {
	b.t.Helper()
	for i, s := range steps {
		has := func(at sinks.Place) bool {
			_, err := os.Lstat(filepath.Join(at.Root, filepath.FromSlash(at.Path)))
			return err == nil
		}
		for _, next := range steps[i+1:] {
			if next.task.Table == s.task.Table {
				files := filesOf(next.task)
				has = func(at sinks.Place) bool { return files[at] }
				break
			}
		}
		removed := map[sinks.Place]bool{}
		for _, r := range s.done.RemovedFiles {
			for _, path := range r.Paths {
				removed[sinks.Place{Root: r.Root, Path: path}] = true
			}
		}
		before := filesOf(s.task)
		for at := range before {
			if removed[at] == has(at) {
				b.t.Errorf("table %s: %v is there after the step: %v; that it is removed the result says: %v", s.task.Table, at, has(at), removed[at])
			}
		}
		for at := range removed {
			if !before[at] {
				b.t.Errorf("table %s: the result removes %v, which the table did not have", s.task.Table, at)
			}
		}
	}
}

// filesOf lists the files that a table has before a task.
func filesOf(t *exec.Task) map[sinks.Place]bool {
	out := map[sinks.Place]bool{}
	if t.Stored == nil {
		return out
	}
	for _, p := range t.Stored.Partitions {
		for _, f := range p.Files {
			out[sinks.Place{Root: t.Stored.Sinks[f.Sink], Path: f.Path}] = true
		}
	}
	return out
}
