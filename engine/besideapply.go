package engine

import (
	"context"

	"reconcile/engine/planner"
)

// plansBesideApply is how often a plan is made before one goes without a look at the
// sinks, as applies go on changing them.
const plansBesideApply = 10

// Plan reads what there is and says what an apply would do. It changes nothing
// and may run beside an apply. If an apply committed meanwhile and the plan found that the
// sinks are not as the state says, the plan is made again. If they are as the state says,
// the plan is right for the moment at which the state was read.
func (e *Engine) Plan(ctx context.Context) (*planner.Session, error) {
	for try := 1; ; try++ {
		e.lake.LookAgain()
		e.unfinished.Clear()
		p, from, err := e.planNow(ctx, try > plansBesideApply)
		if err == nil && p.AsTheStateSays() {
			return p, nil
		}
		now, serialErr := e.store.Serial(ctx)
		if try > plansBesideApply || ctx.Err() != nil || serialErr != nil || now == from {
			return p, err
		}
		if p != nil {
			if err := p.Close(); err != nil {
				return nil, err
			}
		}
	}
}

// planNow makes a plan of the state as it is now, and says of which serial. A blind one
// does not look at what the sinks hold.
func (e *Engine) planNow(ctx context.Context, blind bool) (*planner.Session, uint64, error) {
	snap, err := e.store.Load(ctx)
	if err != nil {
		return nil, 0, err
	}
	p := &planner.Session{Planner: e.planner(), Snap: snap, Blind: blind || e.opts.NoRefresh}
	if blind {
		p.Measure = nil
	}
	e.declared.ResolveRoots(snap)
	from := snap.Serial
	switch {
	case blind:
		p.Notices = append(p.Notices, "applies changed the state again and again while this plan was made: whether the sinks hold what it says was not checked")
	case e.opts.NoRefresh:
		p.Notices = append(p.Notices, "-refresh=false: whether the sinks hold what the state says, or a newer state wrote them, was not checked")
	}
	p, err = planner.MakePlan(ctx, p)
	return p, from, err
}
