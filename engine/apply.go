package engine

import (
	"context"
	"errors"
	"fmt"
	"reconcile/engine/commit"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/usermapping"
	"reconcile/state"
	"slices"
)

// applyRun is one apply under way: the plan that is carried out, the lock it is
// carried out under, and what it did so far. One goroutine has it.
type applyRun struct {
	e      *Engine
	lock   *state.Lock
	plan   *planner.Session // that is left: the run's own
	result *Result
	// committed are the tables that the run has committed.
	committed map[string]bool
	manifests manifestKeeper
	checks    *checker
}

// Apply carries out a plan that was made under the same lock. The session stays as it is.
func (e *Engine) Apply(ctx context.Context, l *state.Lock, p *planner.Session) (*Result, error) {
	if err := e.Refusal(&p.Plan); err != nil {
		return nil, err
	}
	p = p.ForApply()
	res := &Result{Holds: slices.Clone(p.Holds)}
	defer func() {
		planner.NamesWayPast(e.cfg, res.Holds)
		res.Traffic = e.stores.Traffic()
	}()
	return (&applyRun{e: e, lock: l, plan: p, result: res, committed: map[string]bool{}, manifests: manifestKeeper{store: e.store, plan: p},
		checks: &checker{plan: p, lock: l, declared: e.declared, lake: e.lake}}).apply(ctx)
}

// apply changes the state and the sinks as planned.
func (run *applyRun) apply(ctx context.Context) (_ *Result, err error) {
	waiting, err := run.detachSinks(ctx)
	if err != nil {
		return nil, err
	}
	now, err := run.stateOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := run.restateSinks(ctx); err != nil {
		return nil, err
	}
	remembered := func() error {
		return errors.Join(run.forgetHolds(ctx), run.checks.forgetSteps(ctx), acceptDumps(ctx, run.lock, run.plan), run.manifests.mend(ctx, run.lock), run.renewRead(ctx, now), run.rememberNames(ctx), run.e.forgetLater(ctx, run.lock, now))
	}
	if err := errors.Join(run.e.removeLeftovers(ctx, run.lock, now), remembered()); err != nil {
		return nil, err
	}
	if !run.plan.Changes() {
		return run.result, errors.Join(rememberTripped(ctx, run.lock, run.plan, now), run.rememberWaiting(ctx, now))
	}
	cleanup, err := run.e.applyScratch()
	if err != nil {
		return nil, err
	}
	defer cleanup()
	if err := errors.Join(acceptManifests(ctx, run.lock, run.plan), run.commitMapping(ctx)); err != nil {
		return nil, err
	}
	if run.plan.NewMapping != nil {
		run.result.BadMappings = run.plan.NewMapping.Bad.Len()
	}
	if err := run.applyTables(ctx, waiting); err != nil {
		return run.result, err
	}
	snap, err := run.e.declared.Load(ctx, run.lock)
	if err != nil {
		return run.result, err
	}
	if err := rememberTripped(ctx, run.lock, run.plan, snap); err != nil {
		return run.result, err
	}
	return run.result, errors.Join(run.lock.Adopt(ctx, snap.Refs()), run.e.removeLeftovers(ctx, run.lock, snap),
		run.e.renewFingerprints(ctx, run.lock, withoutFingerprints(run.plan.Drafts, run.committed), snap), run.e.forgetLater(ctx, run.lock, snap), run.rememberWaiting(ctx, snap))
}

// rememberWaiting keeps what the apply leaves waiting, when it has done what it could. snap
// is the state as it is.
func (run *applyRun) rememberWaiting(ctx context.Context, snap *state.Snapshot) error {
	failed := slices.ContainsFunc(run.result.Tables, func(t TableResult) bool { return t.Err != nil })
	after := &afterApply{plan: run.plan, holds: run.result.Holds, committed: run.committed, failed: failed, at: run.e.now()}
	return errors.Join(rememberGuards(ctx, run.lock, run.result.Holds, snap), after.remember(ctx, run.lock, snap))
}

// stateOf is the state that a plan was made of, where nothing has been changed yet.
func (run *applyRun) stateOf(ctx context.Context) (*state.Snapshot, error) {
	if len(run.plan.Forgotten)+len(run.plan.Moved) == 0 {
		return run.plan.Snap, nil
	}
	run.e.loaded = nil
	return run.e.declared.Load(ctx, run.lock)
}

// applyTables applies the tables in the order of the plan, without those that wait for
// the next apply.
func (run *applyRun) applyTables(ctx context.Context, waiting map[string]bool) (err error) {
	todo := slices.DeleteFunc(slices.Clone(run.plan.Drafts), func(t *planner.Table) bool { return t.Action == plan.None || waiting[t.Name] })
	usersFirst(todo)
	if err := planner.Sample(ctx, run.e.source, todo); err != nil {
		return fmt.Errorf("how many rows there are to read: %w", err)
	}
	for _, t := range todo {
		run.e.meter.expect(t, 0)
	}
	begun := map[*planner.Table]*prefetch{}
	defer func() {
		for _, a := range begun {
			err = errors.Join(err, run.dropPrefetched(ctx, a))
		}
	}()
	for i, t := range todo {
		mine := begun[t]
		delete(begun, t)
		if held := planner.Unreachable(run.plan, t); held != nil {
			run.result.Holds = append(run.result.Holds, plan.Hold{Table: t.Name, Reason: held.Error()})
			run.e.meter.End(t.Name)
			if err := run.dropPrefetched(ctx, mine); err != nil {
				return err
			}
			continue
		}
		run.startPrefetches(ctx, t, todo[i+1:], begun)
		r := run.applyTable(ctx, t, mine)
		run.e.meter.End(t.Name)
		if _, removed := t.Step(plan.StepRemove); r.Err == nil && !removed && !run.committed[t.Name] {
			continue // it is held, or there was nothing to do
		}
		run.result.Tables = append(run.result.Tables, r)
		if r.Err != nil && !run.e.lake.StopsTable(ctx, r.Err) {
			return r.Err
		}
	}
	return nil
}

// commitMapping stores a newly read mapping, or that there is none any more.
// Tables follow one by one.
func (run *applyRun) commitMapping(ctx context.Context) error {
	if run.plan.Mapping.Withdrawn {
		return run.lock.Update(ctx, func(tx *state.Tx) error { return errors.Join(tx.SetMapping(nil), acceptMappings(run.plan, tx)) })
	}
	if run.plan.NewMapping == nil {
		return nil
	}
	objects, err := usermapping.Store(ctx, run.e.store, run.plan.NewMapping, run.plan.Standing)
	if err != nil {
		return err
	}
	manifests, err := run.manifests.object(ctx)
	if err != nil {
		return err
	}
	d := run.plan.Listing.Dump(run.plan.NewMapping.Dump)
	return run.lock.Update(ctx, func(tx *state.Tx) error {
		for _, o := range objects {
			if err := tx.PutObject(o); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetMapping(run.plan.Standing), acceptMappings(run.plan, tx), commit.PutDump(tx, d), run.manifests.put(tx, manifests))
	})
}
