package planner

import (
	"context"
	"errors"
	"maps"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/errclass"
)

// planRefresh compares the sinks with the state, and does nothing else: it reads neither
// the source nor what the configuration says of tables. So only what others did to the
// sinks makes a difference, or a state that is older than they are.
func planRefresh(ctx context.Context, p *Session) error {
	p.RefreshOnly = true
	for _, pub := range p.Snap.Publishes {
		p.Recover = append(p.Recover, pub.Table)
	}
	if err := errors.Join(checkSinks(ctx, p), findGone(ctx, p)); err != nil {
		return err
	}
	var foreign []error // of all tables: they are named at once
	for _, name := range slices.Sorted(maps.Keys(p.Snap.Tables)) {
		t := &Table{Table: plan.Table{Name: name}, Old: p.Snap.Tables[name], Parts: p.Snap.Partitions[name]}
		p.Drafts = append(p.Drafts, t)
		if !p.Ask.Targeted(name) {
			continue
		}
		err := refreshTable(ctx, p, t)
		if errors.As(err, new(*foreignError)) {
			foreign = append(foreign, err)
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(foreign) > 0 {
		return errors.Join(foreign...)
	}
	if err := planStrays(ctx, p, nil); err != nil {
		return err
	}
	if err := checkTargets(p); err != nil {
		return err
	}
	p.listRestated()
	p.describeTables()
	return nil
}

// refreshTable compares what the sinks hold of one table.
func refreshTable(ctx context.Context, p *Session, t *Table) error {
	t.RowsNow, t.PartitionsNow = t.Old.Rows, len(t.Parts)
	if held := Unreachable(p, t); held != nil && errclass.Of(held) != errclass.Distrusted {
		if errclass.Of(held) != errclass.SinkMissing { // which findGone named
			p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: held.Error()})
		}
		return nil
	}
	restated := len(p.ToRestate)
	err := planStanding(ctx, p, t)
	switch why := lake.WhyDistrusted(err); {
	case why != "":
		p.ToRestate, t.Drift = p.ToRestate[:restated], nil
		p.Holds = append(p.Holds, RepairHold(t.Name, why))
		return nil
	case p.Lake.StopsTable(ctx, err):
		p.ToRestate, t.Drift = p.ToRestate[:restated], nil
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: err.Error()})
		return nil
	}
	return err
}
