package planner

import (
	"context"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// planReturned has users rebuilt when the source has all dumps again for which published
// rows stand in: these are not told from rows of the raw users that they are named after.
func planReturned(ctx context.Context, p *Session, t *Table) error {
	if t.Kind != feed.KindUsers || t.Repair+t.rewrite != "" {
		return nil
	}
	back := 0
	for _, a := range t.Old.Applied {
		if !a.StoodIn {
			continue
		}
		i := t.DeliveryOf(a.Dump)
		if i < 0 {
			return nil
		}
		if h, _, err := checkFiles(ctx, p, t, &t.All[i]); h != nil || err != nil {
			return err
		}
		back++
	}
	if back > 0 {
		t.Change.Add(plan.ClassRebuild, "the source has all dumps again for which published rows stand in")
	}
	return nil
}
