package engine

import (
	"context"
	"slices"

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
func (e *Engine) restateSinks(ctx context.Context, p *Plan) error {
	for _, root := range p.Restated {
		says, err := e.readSays(ctx, root) // a commit may have been finished since the plan
		if err != nil {
			if e.stopsTable(ctx, err) {
				continue
			}
			return err
		}
		cur := says.current
		if cur == nil {
			cur = &sinks.Current{Version: 1, Lineage: p.Lineage}
		}
		if cur.Tables == nil {
			cur.Tables = map[string]sinks.CurrentTable{}
		}
		for _, r := range p.restated {
			if r.root == root {
				cur.Tables[r.table.Name], _ = currentTable(root, &state.Publish{Commit: r.table.Commit}, r.table, true)
			}
		}
		if err := e.sinks[root].SetCurrent(ctx, cur); err != nil && !e.stopsTable(ctx, err) {
			return err
		}
	}
	return nil
}
