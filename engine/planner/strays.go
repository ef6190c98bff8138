package planner

import (
	"context"
	"maps"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/state"
)

// leavingOlder holds a table that leaves the configuration, if the state is older than
// one of its sinks. With -repair it goes, and all files in its folders with it.
func leavingOlder(ctx context.Context, p *Session, t *Table) (held bool, err error) {
	_, err = judgeNewer(ctx, p, t)
	why := lake.WhyDistrusted(err)
	switch {
	case why == "":
		if p.Lake.StopsTable(ctx, err) {
			p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: err.Error()})
			return true, nil
		}
		return false, err
	case p.Ask.repairs(t.Name):
		t.Repair = why
		return false, findFiles(ctx, p, t)
	}
	p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: why + "; the table stays as it is; " + repairFlags(t.Name) + " goes on"})
	return true, nil
}

// strays lists the tables that only sinks know: a newer state made them.
func (p *Session) strays() []string {
	if asksNoSink(p) {
		return nil
	}
	out := map[string]bool{}
	for root, says := range p.Heads {
		if says.Current == nil || p.Snap.Forgotten[root] {
			continue
		}
		for name := range says.Current.Tables {
			if p.Snap.Tables[name] == nil {
				out[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// planStrays plans the tables that only sinks know: neither the state nor, by what
// is delivered, the source.
func planStrays(ctx context.Context, p *Session, delivered map[string][]Delivery) error {
	for _, name := range p.strays() {
		if _, ok := delivered[name]; ok {
			continue
		}
		t := &Table{Table: plan.Table{Name: name}}
		if err := planStray(ctx, p, t); err != nil {
			return err
		}
		p.Drafts = append(p.Drafts, t)
	}
	return nil
}

// planStray holds a table that only sinks know and that no block takes, or whose
// columns nothing tells. With -repair it goes, if the loss of its rows is accepted.
func planStray(ctx context.Context, p *Session, t *Table) error {
	why, record := "", &state.Table{Name: t.Name}
	for _, root := range slices.Sorted(maps.Keys(p.Heads)) {
		if cur, ok := p.Heads.Table(root, t.Name); ok {
			record.Sinks = append(record.Sinks, state.SinkTable{Root: root, Folder: cur.Folder})
			why = p.Home.OlderText(root, cur.Commit, 0)
		}
	}
	switch {
	case !p.Ask.repairs(t.Name):
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: why + "; the table stays as it is; " + repairFlags(t.Name) + " " + lossFlag(t.Name) + " removes it"})
		return nil
	case !p.Ask.AcceptsLoss(t.Name):
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: "nothing in the source or the configuration makes this table, which a newer state made; it stays as it is; " + lossFlag(t.Name) + " removes it"})
		return nil
	}
	t.Old, t.Repair, t.Action = record, why, plan.Destroy
	return findFiles(ctx, p, t)
}
