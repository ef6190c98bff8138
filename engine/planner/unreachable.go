package planner

import "reconcile/engine/lake"

// Unreachable returns why a table cannot be worked on in this run, nil if it
// can: one of its sinks failed, or its last commit could not be finished.
func Unreachable(p *Session, t *Table) error {
	if err := p.Unfinished.Why(t.Name); err != nil && (t.Repair == "" || lake.Distrusted(err) == nil) {
		return err
	}
	for _, at := range FoldersOf(t) {
		if err := p.Lake.Unusable(at.Root); err != nil {
			return err
		}
	}
	return nil
}
