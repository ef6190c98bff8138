package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/internal/shell"
	"reconcile/state"
)

// PlanRebuild finds out whether the source still has what a rebuild reads. Dumps
// that are gone are named in Lost. One that is there and cannot be read holds the
// table as it is, unless the loss of its rows is accepted. It returns what is held.
func PlanRebuild(ctx context.Context, p *Session, t *Table) (out []plan.Hold, err error) {
	if t.Change.Class != plan.ClassRebuild {
		return nil, nil
	}
	var holds []plan.Hold
	for _, id := range RebuiltFrom(p, t) {
		if givesUp(t, id) {
			break
		}
		h, size, err := CheckRebuild(ctx, p, t, id)
		t.rereads += size
		switch {
		case err != nil:
			return nil, err
		case h == nil:
		case h.Reason == "" || p.Ask.AcceptsLoss(t.Name):
			t.Lost = append(t.Lost, id)
			if h.Reason != "" {
				t.Change.Add(plan.ClassRebuild, "dump %d is left out: %s", id, strings.TrimPrefix(h.File+": "+h.Reason, ": "))
			}
		case NewAgain(p, t, id):
			out = append(out, t.holdFrom(*h)...)
		default:
			holds = append(holds, t.WaitingRebuild(*h))
		}
	}
	later, err := goneLater(ctx, p, t)
	if err != nil {
		return nil, err
	}
	t.Lost = append(t.Lost, later...)
	t.LostMapping = lostMapping(p, t)
	if h := t.lossHold(); h != nil && !p.Ask.AcceptsLoss(t.Name) {
		holds = append(holds, *h)
	}
	if len(holds) > 0 && p.Ask.Targeted(t.Name) {
		out = append(out, holds...)
		t.Keep()
	}
	return out, nil
}

// lostMapping is the mapping that a repair cannot bring back, nil if there is none: a
// sink stands at it, and the source lacks it. One that was withdrawn is no loss.
func lostMapping(p *Session, t *Table) *int64 {
	if t.Repair == "" {
		return nil
	}
	m := p.Heads.Mapping(t.Name, p.commitOf(t.Name))
	if f := t.mappingInFiles; f != nil && (m == nil || *f > *m) {
		m = f
	}
	if m == nil || p.Standing != nil && *m <= p.Standing.Dump || p.Ask.Withdrawn(p.Listing, *m, feed.TableMapping) {
		return nil
	}
	return m
}

// lossHold is the hold of a table that is rebuilt because of damage, and would lose
// rows that the source lacks by it; nil if it loses none.
func (t *Table) lossHold() *plan.Hold {
	if !t.mends || len(t.Lost) == 0 && t.LostMapping == nil {
		return nil
	}
	var lost []string
	if len(t.Lost) > 0 {
		lost = append(lost, plan.DumpNames(t.Lost))
	}
	if t.LostMapping != nil {
		lost = append(lost, fmt.Sprintf("the user mapping of dump %d", *t.LostMapping))
	}
	return &plan.Hold{Table: t.Name, Reason: fmt.Sprintf("%s: the table would be rebuilt without what is gone from the source, %s; it stays as it is; %s rebuilds it without that",
		strings.Join(t.Change.Reasons, "; "), strings.Join(lost, ", "), t.lossFlags())}
}

// WaitingRebuild says of a hold that a rebuild waits for it.
func (t *Table) WaitingRebuild(h plan.Hold) plan.Hold {
	h.Reason = fmt.Sprintf("%s; the table stays as it is, as its rebuild needs this dump (%s); %s rebuilds it without the rows of the dump",
		h.Reason, strings.Join(t.Change.Reasons, "; "), t.lossFlags())
	return h
}

// lossFlags are the flags that let the table's rebuild go on without what is gone.
func (t *Table) lossFlags() string {
	if t.Repair+t.rewrite != "" {
		return repairFlags(t.Name) + " " + lossFlag(t.Name)
	}
	flags := ""
	if t.replaced {
		flags = shell.Word("-replace=table."+t.Name) + " "
	}
	for _, root := range t.lostIn {
		flags += shell.Word("-sink-lost="+root) + " "
	}
	return flags + lossFlag(t.Name)
}

// NeedsHold reports whether what is remembered of a file still matters: of a dump
// that is applied only a rebuild asks.
func (p *Session) NeedsHold(h state.Hold) bool {
	if h.Guard != "" {
		return slices.ContainsFunc(p.Holds, func(x plan.Hold) bool { return x.Guard != "" && x.Table == h.Table && x.Dump == h.Dump })
	}
	t := p.Snap.Tables[h.Table]
	if t == nil || !slices.ContainsFunc(t.Applied, func(a state.Applied) bool { return a.Dump == h.Dump && !a.Lost }) {
		return true
	}
	return slices.ContainsFunc(p.Holds, func(x plan.Hold) bool { return x.Table == h.Table && x.Dump == h.Dump }) ||
		slices.ContainsFunc(p.Drafts, func(x *Table) bool { return x.Name == h.Table && slices.Contains(x.Lost, h.Dump) })
}
