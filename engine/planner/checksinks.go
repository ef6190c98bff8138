package planner

import (
	"context"
	"fmt"
)

// checkSinks refuses sinks that belong to another state.
func checkSinks(ctx context.Context, p *Session) error {
	for _, s := range p.Ask.Config.Sinks {
		if p.Lake.Down(s.Path) != nil {
			continue
		}
		says, err := p.Lake.Head(ctx, s.Path)
		if p.Lake.StopsTable(ctx, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
		p.Heads[s.Path] = says
		cur := says.Current
		if err := p.Home.Check(ctx, p.Snap, p.Declared.Name(s.Path), cur); err != nil {
			return err
		}
		if cur != nil {
			p.Lake.NoteLineage(s.Path, cur.Lineage)
		}
		if cur != nil && cur.Lineage != p.Lineage {
			return p.Lake.OtherLineage(s.Path, cur.Lineage, p.Lineage)
		}
	}
	if p.Blind && !p.Locked {
		return nil
	}
	return checkMoved(p, p.Snap, p.Heads, nil)
}
