package engine

import (
	"context"
	"fmt"
)

// checkSinks refuses sinks that belong to another state.
func checkSinks(ctx context.Context, p *Plan) error {
	for _, s := range p.ask.Config.Sinks {
		if p.lake.Down(s.Path) != nil {
			continue
		}
		says, err := p.lake.Head(ctx, s.Path)
		if p.lake.StopsTable(ctx, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
		p.says[s.Path] = says
		cur := says.Current
		if err := p.home.Check(ctx, p.snap, p.declared.Name(s.Path), cur); err != nil {
			return err
		}
		if cur != nil {
			p.lake.NoteLineage(s.Path, cur.Lineage)
		}
		if cur != nil && cur.Lineage != p.Lineage {
			return p.lake.OtherLineage(s.Path, cur.Lineage, p.Lineage)
		}
	}
	if p.blind && !p.locked {
		return nil
	}
	return checkMoved(p, p.snap, p.says, nil)
}
