package engine

import "reconcile/engine/lake"

// unreachable returns why a table cannot be worked on in this run, nil if it
// can: one of its sinks failed, or its last commit could not be finished.
func unreachable(p *Plan, t *TablePlan) error {
	if err := p.unfinished.Why(t.Name); err != nil && (t.repair == "" || lake.Distrusted(err) == nil) {
		return err
	}
	for _, at := range foldersOf(t) {
		if err := p.lake.Unusable(at.Root); err != nil {
			return err
		}
	}
	return nil
}
