package engine

import (
	"context"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
)

// findGone notes which of the sinks that the state has are not there, and holds their
// tables; those that are said to be lost are written anew.
func (e *Engine) findGone(ctx context.Context, p *Plan) error {
	if p.blind && !p.locked {
		return nil
	}
	known := lake.Tables(p.snap)
	for _, root := range sortedKeys(known) {
		if e.lake.Down(root) != nil {
			continue
		}
		is := false
		err := p.says.ReadDeparted(ctx, e.lake, root, p.Lineage)
		if err == nil && p.says[root] == (lake.Head{}) {
			is, err = e.lake.IsGone(ctx, p.snap, root)
		}
		if err != nil {
			if e.lake.StopsTable(ctx, err) {
				continue
			}
			return err
		}
		if is && !e.declared.SaidLost(root) {
			e.lake.NoteGone(root)
			p.Holds = append(p.Holds, plan.Hold{Sink: root, Reason: e.lake.GoneText(root, known[root])})
		}
	}
	return nil
}

// isLost reports whether a table is lost in a sink that is said to be lost: the sink
// does not speak of it, and has none of its files.
func (e *Engine) isLost(p *Plan, t *TablePlan, root string, sink int) bool {
	if _, named := p.says.Table(root, t.Name); named || p.says[root].Damage != nil || !e.declared.SaidLost(root) || !t.allGone(sink) {
		return false
	}
	e.lake.NoteLost(root)
	t.lostIn = append(t.lostIn, root)
	return true
}
