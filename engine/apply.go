package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
	"reconcile/engine/usermapping"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Refusal says why a plan may not be applied as it is, nil if it may.
func (e *Engine) Refusal(p *plan.Plan) error {
	var errs []error
	for _, t := range p.Tables {
		if t.Action == plan.None {
			continue
		}
		if len(t.Destroys) > 0 && !e.opts.AllowDestroy {
			errs = append(errs, refusesDestroy(t))
		}
		if len(t.Lost) > 0 && !e.ask.AcceptsLoss(t.Name) {
			errs = append(errs, fmt.Errorf("%w: table %s must be rebuilt from the source, where dumps %v are gone: their rows would be lost; accept that with -accept-loss=%s", plan.ErrRefused, t.Name, t.Lost, t.Name))
		}
	}
	if len(p.Mapping.Gone) > 0 && !e.ask.AcceptsLoss(feed.TableMapping) {
		errs = append(errs, fmt.Errorf("%w: %s; accept that with -accept-loss=%s", plan.ErrRefused, planner.GoneMappingsText(&p.Mapping), feed.TableMapping))
	}
	return errors.Join(errs...)
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
	return (&applyRun{e: e, lock: l, plan: p, result: res, committed: map[string]bool{}, manifests: manifestKeeper{store: e.store, plan: p}}).apply(ctx)
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
		return errors.Join(run.forgetHolds(ctx), rememberGuards(ctx, run.lock, run.plan), run.manifests.mend(ctx, run.lock), run.renewRead(ctx, now), run.rememberNames(ctx), run.e.forgetLater(ctx, run.lock, now))
	}
	if err := errors.Join(run.e.removeLeftovers(ctx, run.lock, now), remembered()); err != nil {
		return nil, err
	}
	if !run.plan.Changes() {
		return run.result, nil
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
		run.result.BadMappings = int64(len(run.plan.NewMapping.Bad))
	}
	if err := run.applyTables(ctx, waiting); err != nil {
		return run.result, err
	}
	snap, err := run.e.declared.Load(ctx, run.lock)
	if err != nil {
		return run.result, err
	}
	return run.result, errors.Join(run.lock.Adopt(ctx, snap.Refs()), run.e.removeLeftovers(ctx, run.lock, snap),
		run.e.renewFingerprints(ctx, run.lock, withoutFingerprints(run.plan.Drafts, run.committed), snap), run.e.forgetLater(ctx, run.lock, snap))
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
			if err := run.dropPrefetched(ctx, mine); err != nil {
				return err
			}
			continue
		}
		run.startPrefetches(ctx, t, todo[i+1:], begun)
		r, waits := run.applyTable(ctx, t, mine)
		if waits && r.Err == nil && !run.committed[t.Name] {
			continue // what was committed counts; the rest is held
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

// applyTable brings one table to its planned state: first a change of its
// configuration, as a commit of its own, then its dumps and its mapping.
//
// What was prefetched, if anything, is the content after its only step. waits says
// that a step was not taken, and the result has a hold that says why.
func (run *applyRun) applyTable(ctx context.Context, t *planner.Table, first *prefetch) (out TableResult, waits bool) {
	out = TableResult{Name: t.Name, Action: t.Action, Unlisted: map[string]int64{}}
	if _, ok := t.Step(plan.StepRemove); ok {
		out.Err = run.e.removeTable(ctx, run.lock, t)
		return out, false
	}
	if waits, out.Err = run.takeStep(ctx, t, plan.StepChange, nil, &out); !waits && out.Err == nil {
		waits, out.Err = run.takeStep(ctx, t, plan.StepTake, first, &out)
	}
	return out, waits
}

// takeStep makes the commit that is a table's step of a kind, if it has one. A part file
// that turns out to be bad holds the table from its dump on; the step is then taken
// without that. waits says that something keeps the step from being taken: the result
// names it as a hold.
func (run *applyRun) takeStep(ctx context.Context, t *planner.Table, kind plan.StepKind, first *prefetch, out *TableResult) (waits bool, err error) {
	for {
		step, ok := t.Step(kind)
		if !ok {
			return false, nil
		}
		s, r, err := run.content(ctx, t, step, first)
		damage := planner.DamagedObject(err)
		if s == nil && damage == nil {
			return false, err
		}
		first = nil
		if damage != nil && ctx.Err() == nil {
			return true, run.holdDamaged(ctx, t, s, damage)
		}
		if why := lake.WhyDistrusted(err); why != "" {
			run.result.Holds = append(run.result.Holds, planner.RepairHold(t.Name, why))
			_ = run.e.removeStaged(ctx, run.lock, s.Task) // what stays the next apply removes
			return true, nil
		}
		if err != nil {
			return false, errors.Join(fmt.Errorf("table %s: %w", t.Name, err), run.e.removeStaged(ctx, run.lock, s.Task))
		}
		switch r.Outcome {
		case exec.OutcomeHeld:
			if waits, err := run.stepWithout(ctx, t, s, r.Held, out); err != nil || waits {
				return waits, err
			}
		case exec.OutcomeNothing:
			return false, run.e.removeStaged(ctx, run.lock, s.Task)
		default:
			return run.commitStep(ctx, t, s, r.Done, out)
		}
	}
}

// commitStep commits what a step staged.
func (run *applyRun) commitStep(ctx context.Context, t *planner.Table, s *steps.Step, d *exec.Done, out *TableResult) (waits bool, err error) {
	c, err := s.ChangeOf(ctx, run.e.store, d)
	if err != nil {
		return false, errors.Join(fmt.Errorf("table %s: %w", t.Name, err), run.e.removeStaged(ctx, run.lock, s.Task))
	}
	if err := commit.CanCarryOut(ctx, run.e.lake, c.Steps()); err != nil {
		return run.holdUnpublishable(ctx, s, err)
	}
	out.addCounts(s.Task, d)
	run.committed[t.Name], t.LostCommit = true, nil
	return false, run.commit(ctx, s, c)
}

// stepWithout makes a step one without a bad file: the table is held from its dump on.
// Without a resync the table may have to be rebuilt before the step.
func (run *applyRun) stepWithout(ctx context.Context, t *planner.Table, s *steps.Step, bad *exec.Held, out *TableResult) (waits bool, err error) {
	if err := run.e.removeStaged(ctx, run.lock, s.Task); err != nil {
		return false, err
	}
	if !s.Takes() && planner.NewAgain(run.plan, t, bad.Dump) {
		t.HeldFrom = &bad.Dump
	} else if !s.Takes() {
		return true, run.holdRebuild(ctx, t, bad)
	}
	class := t.Change.Class
	err = run.holdFrom(ctx, t, bad)
	t.Steps = planner.StepsOf(run.plan, t)
	if err != nil || t.Change.Class != plan.ClassRebuild || class == plan.ClassRebuild {
		return false, err
	}
	out.Action = plan.Rebuild
	return run.takeStep(ctx, t, plan.StepChange, nil, out)
}

func (out *TableResult) addCounts(t *exec.Task, d *exec.Done) {
	a, b := &out.Counts, d.Counts
	a.Read += b.Read
	a.Bytes += b.Bytes
	a.Added += b.Added
	a.Replaced += b.Replaced
	a.Rekeyed += b.Rekeyed
	a.Collapsed += b.Collapsed
	a.Revived += b.Revived
	a.Removed += b.Removed
	a.Quarantined += b.Quarantined
	a.Rescued += b.Rescued
	a.Rounded += b.Rounded
	a.Partitions += b.Partitions
	a.Written += b.Written
	a.Rows = b.Rows
	if d.Strategy == exec.Redeliver {
		out.RedeliveryOf = &t.Redelivery.Of
	}
	for k, v := range d.Unlisted {
		out.Unlisted[k] += v
	}
}

// content computes what a step of a table makes of it, or takes what was computed
// before its turn. Where no task could be made of the step, err says why.
func (run *applyRun) content(ctx context.Context, t *planner.Table, step plan.Step, first *prefetch) (*steps.Step, *exec.Result, error) {
	if first != nil {
		return run.awaitPrefetched(first)
	}
	s, err := run.stepOf(ctx, t, step)
	if err != nil {
		return nil, nil, err
	}
	res, err := s.Execute(ctx)
	return s, res, err
}
