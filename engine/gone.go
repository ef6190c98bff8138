package engine

import (
	"context"
	"maps"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
)

// findGone notes which of the sinks that the state has are not there, and holds their
// tables; those that are said to be lost are written anew.
func findGone(ctx context.Context, p *Plan) error {
	if p.blind && !p.locked {
		return nil
	}
	known := lake.Tables(p.snap)
	for _, root := range slices.Sorted(maps.Keys(known)) {
		if p.lake.Down(root) != nil {
			continue
		}
		is := false
		err := p.says.ReadDeparted(ctx, p.lake, root, p.Lineage)
		if err == nil && p.says[root] == (lake.Head{}) {
			is, err = p.lake.IsGone(ctx, p.snap, root)
		}
		if err != nil {
			if p.lake.StopsTable(ctx, err) {
				continue
			}
			return err
		}
		if is && !p.declared.SaidLost(root) {
			p.lake.NoteGone(root)
			p.Holds = append(p.Holds, plan.Hold{Sink: root, Reason: p.lake.GoneText(root, known[root])})
		}
	}
	return nil
}

// isLost reports whether a table is lost in a sink that is said to be lost: the sink
// does not speak of it, and has none of its files.
func isLost(p *Plan, t *TablePlan, root string, sink int) bool {
	if _, named := p.says.Table(root, t.Name); named || p.says[root].Damage != nil || !p.declared.SaidLost(root) || !t.allGone(sink) {
		return false
	}
	p.lake.NoteLost(root)
	t.lostIn = append(t.lostIn, root)
	return true
}
