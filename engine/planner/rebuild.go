package planner

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
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
		if t.HeldFrom != nil {
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
	for _, d := range t.Lost {
		lost = append(lost, fmt.Sprintf("dump %d", d))
	}
	if t.LostMapping != nil {
		lost = append(lost, fmt.Sprintf("the user mapping of dump %d", *t.LostMapping))
	}
	return &plan.Hold{Table: t.Name, Reason: fmt.Sprintf("%s: the table would be rebuilt without what is gone from the source, %s; it stays as it is; %s rebuilds it without that",
		strings.Join(t.Change.Reasons, "; "), strings.Join(lost, ", "), t.lossFlags())}
}

// RebuiltFrom lists the applied dumps that a rebuild of the table reads again.
func RebuiltFrom(p *Session, t *Table) []int64 {
	if t.Old == nil || t.Kind == feed.KindMapping {
		return nil
	}
	var out []int64
	dumps := keptDumps(p, t)
	for i := range dumps { // what the source says of a dump counts in a rebuild
		if at := t.DeliveryOf(dumps[i].ID); at >= 0 && !dumps[i].Lost {
			dumps[i].Full = !t.All[at].Entry.Incremental && t.All[at].Entry.Problem == ""
		}
	}
	floor := rules.Live(dumps)
	for _, d := range dumps {
		if d.Brings(floor) {
			out = append(out, d.ID)
		}
	}
	return out
}

// DeliveryOf returns the index in all of what a dump delivers, -1 if the source
// does not say.
func (t *Table) DeliveryOf(dump int64) int {
	i, ok := slices.BinarySearchFunc(t.All, dump, func(d Delivery, id int64) int { return cmp.Compare(d.Dump, id) })
	if !ok {
		return -1
	}
	return i
}

// finder returns DeliveryOf for dumps that are asked for in their order, and are
// most of all.
func (t *Table) finder() func(dump int64) int {
	next := 0
	return func(dump int64) int {
		if next == len(t.All) || t.All[next].Dump != dump {
			i := t.DeliveryOf(dump)
			if i < 0 {
				return i
			}
			next = i
		}
		next++
		return next - 1
	}
}

// CheckRebuild returns why an applied dump cannot be read again, nil if it seems
// that it can, and the bytes of its files. A hold without a reason is a dump that
// is gone.
func CheckRebuild(ctx context.Context, p *Session, t *Table, id int64) (*plan.Hold, int64, error) {
	if i := t.DeliveryOf(id); i >= 0 {
		h, size, err := checkFiles(ctx, p, t, &t.All[i])
		if h == nil && err == nil && p.Ask.AcceptsLoss(t.Name) {
			h, err = checkGiven(ctx, p, t, &t.All[i])
		}
		return h, size, err
	}
	if slices.ContainsFunc(p.Holds, func(h plan.Hold) bool { return h.Table == "" && h.Dump == id }) {
		return &plan.Hold{Table: t.Name, Dump: id, Reason: "the dump is held"}, 0, nil
	}
	return &plan.Hold{}, 0, nil
}

// checkGiven returns why a delivery cannot be read whose files are there: a store
// may refuse them, and says so when they are asked for.
func checkGiven(ctx context.Context, p *Session, t *Table, d *Delivery) (*plan.Hold, error) {
	for _, f := range d.Entry.Files {
		h, err := p.Source.Open(ctx, f.Key)
		switch {
		case err == nil:
			err = h.Close()
		case !dump.Unavailable(err):
			return &plan.Hold{Table: t.Name, Dump: d.Dump, File: f.Key, Reason: err.Error()}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
		}
	}
	return nil, nil
}

// WaitingRebuild says of a hold that a rebuild waits for it.
func (t *Table) WaitingRebuild(h plan.Hold) plan.Hold {
	h.Reason = fmt.Sprintf("%s; the table stays as it is, as its rebuild needs this dump (%s); %s rebuilds it without the rows of the dump",
		h.Reason, strings.Join(t.Change.Reasons, "; "), t.lossFlags())
	return h
}

// lossFlags are the flags that let the table's rebuild go on without what is gone.
func (t *Table) lossFlags() string {
	if t.Repair+t.Rewrite != "" {
		return fmt.Sprintf("-repair -target=table.%s -accept-loss=%s", t.Name, t.Name)
	}
	flags := ""
	for _, root := range t.lostIn {
		flags += "-sink-lost=" + root + " "
	}
	return flags + "-accept-loss=" + t.Name
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
