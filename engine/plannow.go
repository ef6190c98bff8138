package engine

import (
	"context"
	"reconcile/state"
)

// PlanLocked is Plan for the holder of the lock, who is going to apply.
func (e *Engine) PlanLocked(ctx context.Context, l *state.Lock) (*Plan, error) {
	snap := e.loaded
	e.loaded = nil
	if snap == nil {
		var err error
		if snap, err = e.declared.Load(ctx, l); err != nil {
			return nil, err
		}
	}
	p, err := makePlan(ctx, &Plan{Planner: e.planner(), snap: snap, locked: true, lock: l, blind: e.opts.NoRefresh})
	if err == nil {
		l.Exceed(p.says.TopCommit())
	}
	return p, err
}

// planner is what the plans of the engine are made from.
func (e *Engine) planner() *Planner {
	r := &Planner{ask: e.ask, source: e.source, objects: e.store, lake: e.lake, home: e.home, declared: e.declared, unfinished: &e.unfinished, budget: e.limits.Budget,
		mappings: mappingReader{e.source, e.cfg.Source.TimeUnit, e.tagged()}}
	if e.opts.Exact {
		r.measure = e.measure
	}
	return r
}
