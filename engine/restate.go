package engine

import (
	"slices"

	"reconcile/state"
)

// restate notes that what a sink says of a table is to be written again.
func (p *Plan) restate(root string, t *TablePlan) {
	p.restated = append(p.restated, restated{root, t.old})
}

// listRestated names the sinks whose current.json an apply writes again.
func (p *Plan) listRestated() {
	for _, r := range p.restated {
		if !slices.Contains(p.Restated, r.root) {
			p.Restated = append(p.Restated, r.root)
		}
	}
	slices.Sort(p.Restated)
}

// restated is a table of which a sink is to say again what the state does.
type restated struct {
	root  string
	table *state.Table
}
