package engine

import (
	"context"

	"reconcile/engine/planner"
	"reconcile/engine/usermapping"
	"reconcile/state"
)

// PlanLocked is Plan for the holder of the lock, who is going to apply.
func (e *Engine) PlanLocked(ctx context.Context, l *state.Lock) (*planner.Session, error) {
	return e.planLocked(ctx, l, e.planner())
}

func (e *Engine) planLocked(ctx context.Context, l *state.Lock, r *planner.Planner) (*planner.Session, error) {
	snap := e.loaded
	e.loaded = nil
	if snap == nil {
		var err error
		if snap, err = e.declared.Load(ctx, l); err != nil {
			return nil, err
		}
	}
	p, err := planner.MakePlan(ctx, &planner.Session{Planner: r, Snap: snap, Locked: true, Lock: l, Blind: r.Ask.NoRefresh})
	if err == nil {
		l.Exceed(p.Heads.TopCommit())
	}
	return p, err
}

// planner is what the plans of the engine are made from.
func (e *Engine) planner() *planner.Planner {
	r := &planner.Planner{Ask: e.ask, Source: e.source, Objects: e.store, Lake: e.lake, Home: e.home, Declared: e.declared, Unfinished: &e.unfinished, Budget: e.limits.Budget,
		Mappings: usermapping.Reader{Source: e.source, Unit: e.cfg.Source.TimeUnit, Tagged: e.tagged(), Budget: e.limits.Budget}}
	if e.opts.Exact {
		r.Measure = e.measure
	}
	return r
}
