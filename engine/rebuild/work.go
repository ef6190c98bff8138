package rebuild

import (
	"context"
	"fmt"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/planner"
)

// expect says how much work the tables are: each is made of the source, written, and compared
// with what is published.
func (r *Rebuilder) expect(ctx context.Context, tables []*Table) error {
	plans := make([]*planner.Table, len(tables))
	for i, t := range tables {
		plans[i] = t.plan
	}
	if err := planner.Sample(ctx, r.Planner.Source, plans); err != nil {
		return fmt.Errorf("how many rows there are to read: %w", err)
	}
	for _, t := range tables {
		making := planner.WorkOfAll(t.plan, r.Planner.Budget, planner.Delivered(t.plan, t.Bytes), exec.Extent{}) + exec.WorkOfFiles(len(t.published), len(t.columns))
		r.Meter.Step(t.Name, making, exec.WorkOfComparing(t.publishedExtent()))
	}
	return nil
}

// compare says that a table is made, and begins to compare it.
func (r *Rebuilder) compare(t *Table, e exec.Events) *exec.Stretch {
	all := t.publishedExtent()
	work := exec.WorkOfComparing(all)
	r.Meter.Step(t.Name, work, exec.WorkOfPublishing(all.Bytes))
	return e.Stretch(exec.Comparing, all.Bytes, work)
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

// publishedExtent is about what the lake has of the table, in all its sinks: in each, as many
// rows as there are in the source.
func (t *Table) publishedExtent() exec.Extent {
	e := exec.Extent{Columns: len(t.columns)}
	roots := map[string]bool{}
	for _, f := range t.published {
		e.Bytes += f.Object.Size
		roots[f.Root] = true
	}
	e.Rows = planner.Delivered(t.plan, t.Bytes).Rows * int64(len(roots))
	return e
}
