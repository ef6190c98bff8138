package engine

import (
	"slices"
	"time"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/work"
	"reconcile/internal/definition"
)

// tableMeter tells how far the steps of tables are.
type tableMeter struct {
	*work.Meter
	budget exec.Budget
	trip   func(place string) time.Duration // to the server of a sink and back; 0 of a folder
}

// expect says about how much work there is in a table from one of its steps on, and behind
// that in publishing.
func (m tableMeter) expect(t *planner.Table, at int) {
	if at >= len(t.Steps) {
		return
	}
	files := t.Partitions
	if t.Definition != nil {
		files *= int64(len(t.Definition.Sinks))
	}
	m.Step(t.Name, planner.Work(t, t.Steps[at], m.budget), m.workOf(t, t.Steps[at+1:])+m.workOfCommit(t.Definition, t.BytesToWrite, files))
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
	n, files := int64(0), int64(0)
	for _, p := range d.Partitions {
		for _, f := range p.Files {
			if f.Staged != "" {
				n, files = n+f.Size, files+1
			}
		}
	}
	m.Step(t.Name, m.workOfCommit(t.Definition, n, files), m.workOf(t, t.Steps[stepAt(t, step)+1:]))
}

// publishing returns what tells of files of a table that are made visible, with their bytes.
func (m tableMeter) publishing(t *definition.Table) func(bytes int64) {
	moving := exec.WorkOfMoving(1, m.tripOf(t), m.budget)
	return func(bytes int64) {
		m.Tell(t.Name, exec.Progress{Phase: exec.Publishing, Work: exec.WorkOfPublishing(bytes) + moving})
	}
}

// workOfCommit is about how much work it is to publish files of so many bytes.
func (m tableMeter) workOfCommit(t *definition.Table, bytes, files int64) int64 {
	trip := m.tripOf(t)
	return exec.WorkOfPublishing(bytes) + exec.WorkOfMoving(files, trip, m.budget) + exec.WorkOfCommit(trip, m.budget)
}

// tripOf is how long the servers of a table's sinks take to answer, on average. t is nil of a
// table that is removed.
func (m tableMeter) tripOf(t *definition.Table) (all time.Duration) {
	if t == nil {
		return 0
	}
	for _, s := range t.Sinks {
		all += m.trip(s.Path)
	}
	return all / time.Duration(max(len(t.Sinks), 1))
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
