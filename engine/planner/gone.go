package planner

import (
	"context"
	"maps"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
)

// findGone notes which of the sinks that the state has are not there, and holds their
// tables; those that are said to be lost are rewritten.
func findGone(ctx context.Context, p *Session) error {
	if p.Blind && !p.Locked {
		return nil
	}
	known := lake.Tables(p.Snap)
	for _, root := range slices.Sorted(maps.Keys(known)) {
		if p.Lake.Down(root) != nil {
			continue
		}
		is := false
		err := p.Heads.ReadDetached(ctx, p.Lake, root, p.Lineage)
		if err == nil && p.Heads[root] == (lake.Head{}) {
			is, err = p.Lake.IsGone(ctx, p.Snap, root)
		}
		if err != nil {
			if p.Lake.StopsTable(ctx, err) {
				continue
			}
			return err
		}
		if is && !p.Declared.SaidLost(root) {
			p.Lake.NoteGone(root)
			p.Holds = append(p.Holds, plan.Hold{Sink: root, Reason: p.Lake.GoneText(root, known[root])})
		}
	}
	return nil
}

// isLost reports whether a table is lost in a sink that is said to be lost: the sink
// does not speak of it, and has none of its files.
func isLost(p *Session, t *Table, root string, sink int) bool {
	if _, named := p.Heads.Table(root, t.Name); named || p.Heads[root].Damage != nil || !p.Declared.SaidLost(root) || !t.allGone(sink) {
		return false
	}
	p.Lake.NoteLost(root)
	t.lostIn = append(t.lostIn, root)
	return true
}
