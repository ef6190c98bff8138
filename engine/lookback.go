package engine

import (
	"cmp"
	"context"
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/blob"
	"reconcile/state"
)

// lookBack compares the files of the dumps that a resync was to make void, when the
// resync turned out to be bad while it was read: the plan did not look at them. What has
// changed is taken by the same apply, or holds the table, as if the plan had known of the
// bad file. from is the dump from which on the table is held already.
func (e *Engine) lookBack(ctx context.Context, l *state.Lock, p *Plan, t *TablePlan, from, resync int64, res *Result) error {
	if t.old == nil || t.floor >= resync || t.Change.Class == plan.ClassRebuild {
		return nil
	}
	var list []readDelivery
	for _, was := range t.old.Read {
		if d := t.stillListed(was); d != nil && was.Dump >= t.floor && was.Dump < resync {
			list = append(list, readDelivery{d, was, map[string]blob.Object{}})
		}
	}
	if err := e.compareFiles(ctx, p, t, list, map[int64]int64{}); err != nil {
		return err
	}
	for _, rd := range list {
		if rd.dump >= from {
			break
		}
		if h, ok := t.bad[rd.dump]; ok {
			res.Holds = append(res.Holds, h)
			t.cut(rd.dump)
			break
		}
		if rd.again {
			t.pending = append(t.pending, *rd.delivery)
		}
	}
	slices.SortFunc(t.pending, func(a, b delivery) int { return cmp.Compare(a.dump, b.dump) })
	if err := e.renewReadOf(ctx, l, t); err != nil {
		return err
	}
	holds, err := e.planRebuild(ctx, p, t)
	res.Holds = append(res.Holds, holds...)
	return err
}
