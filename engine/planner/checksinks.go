package planner

import (
	"context"
	"reconcile/engine/lake"
)

// checkSinks refuses sinks that belong to another state.
func checkSinks(ctx context.Context, p *Session) error {
	err := p.Lake.EachHead(ctx, func(root string, head lake.Head) error {
		p.Heads[root] = head
		cur := head.Current
		if err := p.Home.Check(ctx, p.Snap, p.Declared.Name(root), cur); err != nil {
			return err
		}
		if cur != nil {
			p.Lake.NoteLineage(root, cur.Lineage)
		}
		if cur != nil && cur.Lineage != p.Lineage {
			return p.Lake.OtherLineage(root, cur.Lineage, p.Lineage)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.Blind && !p.Locked {
		return nil
	}
	return checkMoved(p, p.Snap, p.Heads, nil)
}
