package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/engine/steps"
	"reconcile/internal/errclass"
	"reconcile/state"
)

// holdFrom takes the dumps from a file on out of the plan. That the file is bad is
// remembered with its pin, so that it is not read again until it, or what makes
// it bad, changes; a file that could not be read at all is tried again next time.
func (run *applyRun) holdFrom(ctx context.Context, t *planner.Table, bad *exec.Held) error {
	h := holdOf(t.Name, bad)
	run.result.Holds = append(run.result.Holds, h)
	from, floor := h.Dump, t.Floor
	if before := t.Cut(from); before != nil {
		run.result.Holds = append(run.result.Holds, *before)
		from = before.Dump
	}
	if err := run.rememberHold(ctx, h, bad); err != nil {
		return err
	}
	return run.compareVoided(ctx, t, from, floor)
}

func (run *applyRun) rememberHold(ctx context.Context, h plan.Hold, bad *exec.Held) error {
	if !bad.Lasting {
		return nil
	}
	pin := ""
	if obj, err := run.e.source.Stat(ctx, h.File); err == nil {
		pin = obj.Pin
	}
	record := state.Hold{Table: h.Table, Dump: h.Dump, File: h.File, Pin: holdPin(pin, bad.Cause), Reason: h.Reason}
	return run.lock.Update(ctx, func(tx *state.Tx) error { return tx.PutHold(record) })
}

// forgetHolds drops what is remembered of files that nobody delivers any more,
// that are left out now, or that only a rebuild needed that is not planned any more. Of
// dumps that the plan is not of, nothing is known.
func (run *applyRun) forgetHolds(ctx context.Context) error {
	if run.plan.ConfigOnly {
		return nil // it did not look at what is pending
	}
	gone := slices.DeleteFunc(slices.Clone(run.plan.Snap.Holds), func(h state.Hold) bool {
		if h.Object != "" {
			return planner.StillDamaged(run.plan, h)
		}
		if !run.plan.Ask.Counts(h.Dump) {
			return true
		}
		d := run.plan.Listing.Dump(h.Dump)
		return d != nil && d.Entry(h.Table) != nil && !run.e.ask.LeftOut(h.Dump, h.Table) && run.plan.NeedsHold(h)
	})
	if len(gone) == 0 {
		return nil
	}
	return run.lock.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, h := range gone {
			errs = append(errs, tx.DeleteHold(h))
		}
		return errors.Join(errs...)
	})
}

// holdDamaged gives up a step of a table because of a damaged object. That is
// remembered, so that the step is not tried again while the object is the same.
func (run *applyRun) holdDamaged(ctx context.Context, t *planner.Table, s *steps.Step, bad *state.ObjectError) error {
	if s != nil {
		if err := run.e.removeStaged(ctx, run.lock, s.Task); err != nil {
			return err
		}
	}
	h, err := planner.DamageHold(ctx, run.plan, t, bad)
	if err != nil {
		return err
	}
	run.result.Holds = append(run.result.Holds, h)
	record := state.Hold{Table: t.Name, Object: bad.Ref.Digest, Pin: run.e.store.ObjectPin(bad.Ref), Missing: bad.Missing, Reason: bad.Err.Error()}
	return run.lock.Update(ctx, func(tx *state.Tx) error { return tx.PutHold(record) })
}

// holdRebuild gives up a rebuild for a file. What is remembered of the file lets
// the next plan name it, and let its loss be accepted.
func (run *applyRun) holdRebuild(ctx context.Context, t *planner.Table, bad *exec.Held) error {
	h := holdOf(t.Name, bad)
	run.result.Holds = append(run.result.Holds, t.WaitingRebuild(h))
	return run.rememberHold(ctx, h, bad)
}

// compareVoided compares the files of the dumps that a resync was to make void, when the
// resync turned out to be bad while it was read: the plan did not look at them. What has
// changed is taken by the same apply, or holds the table, as if the plan had known of the
// bad file. from is the dump from which on the table is held already.
func (run *applyRun) compareVoided(ctx context.Context, t *planner.Table, from int64, resync rules.Floor) error {
	if t.Old == nil || t.Floor == resync || t.Change.Class == plan.ClassRebuild {
		return nil
	}
	var list []planner.ReadDelivery
	for _, was := range t.Old.Read {
		if d := t.StillListed(was); d != nil && t.Floor.Live(was.Dump) && !resync.Live(was.Dump) {
			list = append(list, planner.ReadDelivery{Delivery: d, Was: was, Now: map[string]planner.PartFile{}})
		}
	}
	if err := planner.CompareFiles(ctx, run.plan, t, list, map[int64]int64{}); err != nil {
		return err
	}
	for _, rd := range list {
		if rd.Dump >= from {
			break
		}
		if h, ok := t.Bad[rd.Dump]; ok {
			run.result.Holds = append(run.result.Holds, h)
			t.Cut(rd.Dump)
			break
		}
		if rd.Again {
			t.Pending = append(t.Pending, *rd.Delivery)
		}
	}
	slices.SortFunc(t.Pending, func(a, b planner.Delivery) int { return cmp.Compare(a.Dump, b.Dump) })
	if err := run.renewReadOf(ctx, t); err != nil {
		return err
	}
	holds, err := planner.PlanRebuild(ctx, run.plan, t)
	run.result.Holds = append(run.result.Holds, holds...)
	return err
}

// holdPin identifies why a file holds a table: its content, and for a value that
// does not cast also what the column is, for a key that it lacks which, and for what is too
// large what may be.
func holdPin(pin string, c exec.Cause) string {
	switch {
	case c.Key != "":
		return pin + "\n" + planner.HoldOfKey + c.Key
	case c.Column != "":
		return pin + "\n" + c.Rule + "\n" + c.Column
	case c.Limit > 0:
		return pin + "\n" + planner.HoldOfLimit + strconv.Itoa(c.Limit)
	}
	return pin
}

// rememberGuards keeps which dumps guards hold, to be shown until a plan no longer says so.
// What checks hold is remembered by the steps that they judged.
func rememberGuards(ctx context.Context, l *state.Lock, holds []plan.Hold, snap *state.Snapshot) error {
	fresh := slices.DeleteFunc(slices.Clone(holds), func(h plan.Hold) bool {
		return h.Guard == "" || h.OfCheck() || h.Dump == 0 || slices.ContainsFunc(snap.Holds, func(x state.Hold) bool {
			return x.Guard == h.Guard && x.Table == h.Table && x.Dump == h.Dump && x.Reason == h.Reason
		})
	})
	if len(fresh) == 0 {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		var errs []error
		for _, h := range fresh {
			errs = append(errs, tx.PutHold(state.Hold{Table: h.Table, Dump: h.Dump, File: h.File, Guard: h.Guard, Reason: h.Reason}))
		}
		return errors.Join(errs...)
	})
}

// holdUnpublishable gives up a step whose files cannot be moved to their names: renames
// end at a mount. That is found out before the commit, as after it there is no way back.
// What was staged is removed, if not here then by the next apply.
func (run *applyRun) holdUnpublishable(ctx context.Context, s *steps.Step, why error) (waits bool, err error) {
	removed := run.e.removeStaged(ctx, run.lock, s.Task)
	if errclass.Of(why) != errclass.FolderUnusable {
		return false, errors.Join(why, removed)
	}
	run.result.Holds = append(run.result.Holds, plan.Hold{Table: s.Definition.Name, Reason: why.Error()})
	return true, nil
}
