package engine

import (
	"context"
	"fmt"
)

// checkSinks refuses sinks that belong to another state.
func (e *Engine) checkSinks(ctx context.Context, p *Plan) error {
	for _, s := range e.cfg.Sinks {
		if e.down[s.Path] != nil {
			continue
		}
		says, err := e.readSays(ctx, s.Path)
		if e.stopsTable(ctx, err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address(), err)
		}
		p.says[s.Path] = says
		cur := says.current
		if err := e.checkStatePlace(ctx, p.snap, s.Path, cur); err != nil {
			return err
		}
		if cur != nil {
			e.seen[s.Path] = cur.Lineage
		}
		if cur != nil && cur.Lineage != p.Lineage {
			return e.otherLineage(s.Path, cur.Lineage, p.Lineage)
		}
	}
	if p.blind && !p.locked {
		return nil
	}
	return e.checkMoved(p.snap, p.says, nil)
}

// otherLineage says that a sink belongs to another state.
func (e *Engine) otherLineage(root, wrote, ours string) error {
	have := "the state " + e.store.Place() + " is empty"
	if ours != "" {
		have = "the state " + e.store.Place() + " is of lineage " + ours
	}
	return fmt.Errorf("%s was written from a state of lineage %s, but %s: bring that state back (local state needs a disk that stays); if it is lost, `reconcile state rebuild` makes it anew; or move the sink's folder aside and apply again",
		e.sinkName(root), wrote, have)
}
