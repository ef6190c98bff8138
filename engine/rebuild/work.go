package rebuild

import (
	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
)

// expect says how much work a table is: it is made of the source, written, and compared
// with what is published.
func (r *Rebuilder) expect(t *Table) {
	making := planner.WorkOfAll(t.plan, r.Planner.Budget, t.Bytes, 0) + exec.WorkOfFiles(len(t.published), len(t.columns))
	r.Meter.Step(t.Name, making, exec.WorkOfComparing(t.publishedBytes()))
}

// compare says that a table is made, and begins to compare it.
func (r *Rebuilder) compare(t *Table, e exec.Events) *exec.Stretch {
	size := t.publishedBytes()
	work := exec.WorkOfComparing(size)
	r.Meter.Step(t.Name, work, exec.WorkOfPublishing(size))
	return e.Stretch(exec.Comparing, size, work)
}

// compared says that a table is compared, and only left to be published.
func (r *Rebuilder) compared(c *commit.Change) {
	staged := int64(0)
	for _, p := range c.Parts {
		for i, f := range p.Record.Files {
			if p.Staged[i] != "" {
				staged += f.Size
			}
		}
	}
	r.Meter.Step(c.Table.Name, exec.WorkOfPublishing(staged), 0)
}

// publishing are options of a commit that tell what of a table is published.
func (r *Rebuilder) publishing(table string) commit.Options {
	out := r.Commits
	out.Published = func(bytes int64) {
		r.Meter.Tell(table, exec.Progress{Phase: exec.Publishing, Work: exec.WorkOfPublishing(bytes)})
	}
	return out
}

// publishedBytes is the size of the files that the lake has.
func (t *Table) publishedBytes() int64 {
	n := int64(0)
	for _, f := range t.published {
		n += f.Object.Size
	}
	return n
}
