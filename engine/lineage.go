package engine

import (
	"context"
	"fmt"
)

// checkSinks refuses sinks that belong to another state.
func (e *Engine) checkSinks(ctx context.Context, p *Plan) error {
	for _, s := range e.cfg.Sinks {
		if e.lake.Down(s.Path) != nil {
			continue
		}
		says, err := e.lake.Head(ctx, s.Path)
		if e.lake.StopsTable(ctx, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
		p.says[s.Path] = says
		cur := says.Current
		if err := e.home.Check(ctx, p.snap, e.declared.Name(s.Path), cur); err != nil {
			return err
		}
		if cur != nil {
			e.lake.NoteLineage(s.Path, cur.Lineage)
		}
		if cur != nil && cur.Lineage != p.Lineage {
			return e.lake.OtherLineage(s.Path, cur.Lineage, p.Lineage)
		}
	}
	if p.blind && !p.locked {
		return nil
	}
	return e.checkMoved(p.snap, p.says, nil)
}
