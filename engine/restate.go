package engine

import (
	"context"
	"slices"

	"reconcile/engine/lake"
	"reconcile/sinks"
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

// restateSinks writes current.json again where only that was wrong.
func (e *Engine) restateSinks(ctx context.Context, l *state.Lock, p *Plan) error {
	for _, root := range p.Restated {
		err := e.editCurrent(ctx, l, root, p.Lineage, func(cur *sinks.Current) (bool, error) {
			return p.restateTables(root, cur), nil
		})
		if err != nil && !e.lake.StopsTable(ctx, err) {
			return err
		}
	}
	return nil
}

// restateTables makes cur say of the tables of a sink what the state does, and reports
// whether that changed anything. What is of a greater commit stays as it is: the plan
// did not see it, and the next one judges it.
func (p *Plan) restateTables(root string, cur *sinks.Current) (changed bool) {
	for _, r := range p.restated {
		if r.root != root || cur.Tables[r.table.Name].Commit > r.table.Commit {
			continue
		}
		cur.Tables[r.table.Name], _ = lake.EntryOf(r.table, root, r.table.Commit, true)
		changed = true
	}
	return changed
}
