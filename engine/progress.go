package engine

import (
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/work"
)

// tableMeter tells how far the steps of tables are.
type tableMeter struct {
	*work.Meter
	budget exec.Budget
}

// expect says about how much work there is in a table from one of its steps on, and behind
// that in publishing.
func (m tableMeter) expect(t *planner.Table, at int) {
	if at < len(t.Steps) {
		m.Step(t.Name, planner.Work(t, t.Steps[at], m.budget), m.workOf(t, t.Steps[at+1:])+exec.WorkOfPublishing(t.BytesToWrite))
	}
}

// begin says that a step of a table begins, or begins anew.
func (m tableMeter) begin(t *planner.Table, step plan.Step) {
	m.expect(t, stepAt(t, step))
	m.turn(t, step)
}

// turn says that it is the turn of a table.
func (m tableMeter) turn(t *planner.Table, step plan.Step) {
	if planner.Work(t, step, m.budget) > 0 {
		m.Turn(t.Name)
	}
}

// staged says that a step of a table is staged, and only left to be published.
func (m tableMeter) staged(t *planner.Table, step plan.Step, d *exec.Done) {
	n := int64(0)
	for _, p := range d.Partitions {
		for _, f := range p.Files {
			if f.Staged != "" {
				n += f.Size
			}
		}
	}
	m.Step(t.Name, exec.WorkOfPublishing(n), m.workOf(t, t.Steps[stepAt(t, step)+1:]))
}

// published tells of bytes of a table that were made visible.
func (m tableMeter) published(table string, bytes int64) {
	m.Tell(table, exec.Progress{Phase: exec.Publishing, Work: exec.WorkOfPublishing(bytes)})
}

// workOf is about how much work steps of a table are, without publishing what they write.
func (m tableMeter) workOf(t *planner.Table, steps []plan.Step) int64 {
	n := int64(0)
	for _, s := range steps {
		n += planner.Work(t, s, m.budget)
	}
	return n
}

// stepAt is the place of a step among those of its table.
func stepAt(t *planner.Table, step plan.Step) int {
	return slices.IndexFunc(t.Steps, func(s plan.Step) bool { return s.Kind == step.Kind })
}
