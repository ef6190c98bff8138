package planner

import (
	"slices"
)

// restate notes that what a sink says of a table is to be written again.
func (p *Session) restate(root string, t *Table) {
	p.ToRestate = append(p.ToRestate, restated{root, t.Old})
}

// listRestated names the sinks whose current.json an apply writes again.
func (p *Session) listRestated() {
	for _, r := range p.ToRestate {
		if !slices.Contains(p.Restated, r.Root) {
			p.Restated = append(p.Restated, r.Root)
		}
	}
	slices.Sort(p.Restated)
}
