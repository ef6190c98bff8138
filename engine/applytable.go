package engine

import (
	"context"
	"errors"
	"fmt"
	"reconcile/engine/checks"
	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
)

// applyTable brings one table to its planned state: first a change of its
// configuration, as a commit of its own, then its dumps and its mapping.
//
// What was prefetched, if anything, is the content after its only step. Where a step was
// not taken, the result has a hold that says why.
func (run *applyRun) applyTable(ctx context.Context, t *planner.Table, first *prefetch) TableResult {
	out := TableResult{Name: t.Name, Action: t.Action, Class: t.Change.Class, Unlisted: map[string]int64{}}
	if _, ok := t.Step(plan.StepRemove); ok {
		out.Err = run.e.removeTable(ctx, run.lock, t)
		return out
	}
	var waits bool
	if waits, out.Err = run.takeStep(ctx, t, plan.StepChange, nil, &out); !waits && out.Err == nil {
		_, out.Err = run.takeStep(ctx, t, plan.StepTake, first, &out)
	}
	return out
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
		var verdict *checks.Verdict
		if err == nil && r.Outcome == exec.OutcomeDone {
			run.e.meter.staged(t, step, r.Done)
			verdict, err = run.checks.judge(ctx, t, s, r.Done)
			damage = planner.DamagedObject(err)
		}
		if damage != nil && ctx.Err() == nil {
			return true, run.holdDamaged(ctx, t, s, damage)
		}
		if why := lake.WhyDistrusted(err); why != "" {
			run.plan.Distrusted = append(run.plan.Distrusted, t.Name)
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
			return run.commitStep(ctx, t, s, r.Done, verdict, out)
		}
	}
}

// commitStep commits what a step staged, unless checks hold it.
func (run *applyRun) commitStep(ctx context.Context, t *planner.Table, s *steps.Step, d *exec.Done, v *checks.Verdict, out *TableResult) (waits bool, err error) {
	if v != nil {
		run.result.Checks = append(run.result.Checks, v.Failed...)
		if holds := holdsOf(v); len(holds) > 0 {
			run.result.Holds = append(run.result.Holds, holds...)
			return true, errors.Join(run.e.removeStaged(ctx, run.lock, s.Task), run.checks.remember(ctx, t, v))
		}
	}
	c, err := s.ChangeOf(ctx, run.e.store, d, run.e.now())
	if err != nil {
		return false, errors.Join(fmt.Errorf("table %s: %w", t.Name, err), run.e.removeStaged(ctx, run.lock, s.Task))
	}
	c.Judged = planner.Judged(run.plan, t)
	c.Table.Checks = judgedChecks(t, c.Table.Checks, v)
	c.Unheld = s.Takes() && run.plan.Snap.HeldSteps[t.Name] != nil
	if err := commit.CanCarryOut(ctx, run.e.lake, c.Steps()); err != nil {
		return run.holdUnpublishable(ctx, s, err)
	}
	out.addCounts(s.Task, d)
	run.committed[t.Name], t.LostCommit = true, nil
	if err := run.commit(ctx, s, c); err != nil {
		return false, err
	}
	out.Moved += len(c.Steps())
	out.Resyncs = append(out.Resyncs, s.TakenResyncs()...)
	return false, nil
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
		run.e.meter.turn(t, step)
		return run.awaitPrefetched(first)
	}
	run.e.meter.begin(t, step)
	s, err := run.stepOf(ctx, t, step)
	if err != nil {
		return nil, nil, err
	}
	res, err := s.Execute(ctx)
	return s, res, err
}

// stepOf prepares a step of a table from the state as it is now: until the table's own
// first commit that is what the plan saw of it.
func (run *applyRun) stepOf(ctx context.Context, t *planner.Table, step plan.Step) (*steps.Step, error) {
	maker, order := run.e.stepMaker(), steps.Order{Plan: run.plan, Table: t, Step: step}
	if !run.committed[t.Name] {
		return maker.On(ctx, run.lock.Generation(), run.plan.Snap, order)
	}
	snap, err := run.e.declared.LoadTables(ctx, run.lock, t.Name)
	if err != nil {
		return nil, err
	}
	return maker.On(ctx, run.lock.Generation(), snap, order)
}
