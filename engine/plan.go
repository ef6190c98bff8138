package engine

import (
	"context"
	"errors"
	"reconcile/engine/objects"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/tablekeys"
	"reconcile/engine/usermapping"
	"reconcile/state"
)

// plansBesideApply is how often a plan is made before one goes without a look at the
// sinks, as applies go on changing them.
const plansBesideApply = 10

// errBesideApplies says that the sinks could not be compared with the state.
var errBesideApplies = errors.New("applies changed the state again and again while the sinks were compared with it: do it again once they are done")

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
		if err == nil && try > plansBesideApply && e.opts.RefreshOnly {
			return nil, errors.Join(errBesideApplies, p.Close())
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
	if err == nil && p.Lineage == "" && e.ask.Inputs {
		p.Lineage = state.NewLineage() // of the state that an apply of the plan makes
	}
	return p, from, err
}

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
		Scratch: e.scratch().ForPlan, Keys: tablekeys.Reader{Source: e.source, Lake: e.lake, Objects: objects.Objects{State: e.store}, Budget: e.limits.Budget},
		Mappings: usermapping.Reader{Source: e.source, Unit: e.cfg.Source.TimeUnit, Tagged: e.tagged(), Budget: e.limits.Budget, Scratch: e.scratch().ForPlan}}
	if e.opts.Exact {
		r.Measure = e.measure
	}
	return r
}

// Rederive makes a plan that was made elsewhere again, for the holder of the lock, who is
// going to apply it: of the dumps alone that it names, and without a look at the sinks
// where it was made so. What arrived since stays pending. It says of which tables
// something has changed since, and what: those are not to be applied. A plan of another
// state fails with plan.ErrOtherState.
//
// A table whose last commit is a step of that very plan goes on with the steps that are
// left, and one that has all of them is left alone: so a plan that was applied in part, or
// whose apply was killed, can be applied again. Where there is no state, the one that an
// apply makes gets the lineage that the plan chose.
//
// An apply that planned under its own lock has no use for it.
func (e *Engine) Rederive(ctx context.Context, l *state.Lock, from *plan.Plan) (*planner.Session, []plan.Difference, error) {
	r := e.planner()
	ask := *r.Ask
	ask.Inputs, ask.NoRefresh, ask.OnlyDumps = true, from.Unchecked, map[int64]bool{}
	for _, id := range from.Dumps {
		ask.OnlyDumps[id] = true
	}
	r.Ask = &ask
	if from.Serial == 0 {
		l.Begin(from.Lineage)
	}
	var err error
	if ask.ReplacedBy, err = digestsOf(from); err != nil {
		return nil, nil, err
	}
	p, err := e.planLocked(ctx, l, r)
	if err != nil {
		return nil, nil, err
	}
	if p.Lineage == "" && from.Serial == 0 {
		p.Lineage = from.Lineage
	}
	stale, err := compareWith(p, from)
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	return p, stale, nil
}
