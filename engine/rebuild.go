package engine

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

// planRebuild finds out whether the source still has what a rebuild reads. Dumps
// that are gone are named in Lost. One that is there and cannot be read holds the
// table as it is, unless the loss of its rows is accepted. It returns what is held.
func planRebuild(ctx context.Context, p *Plan, t *TablePlan) (out []plan.Hold, err error) {
	if t.Change.Class != plan.ClassRebuild {
		return nil, nil
	}
	var holds []plan.Hold
	for _, id := range rebuiltFrom(p, t) {
		if t.heldFrom != nil {
			break
		}
		h, size, err := checkRebuild(ctx, p, t, id)
		t.rereads += size
		switch {
		case err != nil:
			return nil, err
		case h == nil:
		case h.Reason == "" || p.ask.AcceptsLoss(t.Name):
			t.Lost = append(t.Lost, id)
			if h.Reason != "" {
				t.Change.Add(plan.ClassRebuild, "dump %d is left out: %s", id, strings.TrimPrefix(h.File+": "+h.Reason, ": "))
			}
		case newAgain(p, t, id):
			out = append(out, t.holdFrom(*h)...)
		default:
			holds = append(holds, t.waitingRebuild(*h))
		}
	}
	later, err := goneLater(ctx, p, t)
	if err != nil {
		return nil, err
	}
	t.Lost = append(t.Lost, later...)
	t.LostMapping = lostMapping(p, t)
	if h := t.lossHold(); h != nil && !p.ask.AcceptsLoss(t.Name) {
		holds = append(holds, *h)
	}
	if len(holds) > 0 && p.ask.Targeted(t.Name) {
		out = append(out, holds...)
		t.keep()
	}
	return out, nil
}

// lostMapping is the mapping that a repair cannot bring back, nil if there is none: a
// sink stands at it, and the source lacks it. One that was withdrawn is no loss.
func lostMapping(p *Plan, t *TablePlan) *int64 {
	if t.repair == "" {
		return nil
	}
	m := p.says.Mapping(t.Name, p.commitOf(t.Name))
	if f := t.mappingInFiles; f != nil && (m == nil || *f > *m) {
		m = f
	}
	if m == nil || p.standing != nil && *m <= p.standing.Dump || p.ask.Withdrawn(p.listing, *m, feed.TableMapping) {
		return nil
	}
	return m
}

// lossHold is the hold of a table that is rebuilt because of damage, and would lose
// rows that the source lacks by it; nil if it loses none.
func (t *TablePlan) lossHold() *plan.Hold {
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

// rebuiltFrom lists the applied dumps that a rebuild of the table reads again.
func rebuiltFrom(p *Plan, t *TablePlan) []int64 {
	if t.old == nil || t.kind == feed.KindMapping {
		return nil
	}
	var out []int64
	dumps := keptDumps(p, t)
	for i := range dumps { // what the source says of a dump counts in a rebuild
		if at := t.deliveryOf(dumps[i].ID); at >= 0 && !dumps[i].Lost {
			dumps[i].Full = !t.all[at].entry.Incremental && t.all[at].entry.Problem == ""
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

// deliveryOf returns the index in all of what a dump delivers, -1 if the source
// does not say.
func (t *TablePlan) deliveryOf(dump int64) int {
	i, ok := slices.BinarySearchFunc(t.all, dump, func(d delivery, id int64) int { return cmp.Compare(d.dump, id) })
	if !ok {
		return -1
	}
	return i
}

// finder returns deliveryOf for dumps that are asked for in their order, and are
// most of all.
func (t *TablePlan) finder() func(dump int64) int {
	next := 0
	return func(dump int64) int {
		if next == len(t.all) || t.all[next].dump != dump {
			i := t.deliveryOf(dump)
			if i < 0 {
				return i
			}
			next = i
		}
		next++
		return next - 1
	}
}

// checkRebuild returns why an applied dump cannot be read again, nil if it seems
// that it can, and the bytes of its files. A hold without a reason is a dump that
// is gone.
func checkRebuild(ctx context.Context, p *Plan, t *TablePlan, id int64) (*plan.Hold, int64, error) {
	if i := t.deliveryOf(id); i >= 0 {
		h, size, err := checkFiles(ctx, p, t, &t.all[i])
		if h == nil && err == nil && p.ask.AcceptsLoss(t.Name) {
			h, err = checkGiven(ctx, p, t, &t.all[i])
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
func checkGiven(ctx context.Context, p *Plan, t *TablePlan, d *delivery) (*plan.Hold, error) {
	for _, f := range d.entry.Files {
		h, err := p.source.Open(ctx, f.Key)
		switch {
		case err == nil:
			err = h.Close()
		case !dump.Unavailable(err):
			return &plan.Hold{Table: t.Name, Dump: d.dump, File: f.Key, Reason: err.Error()}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, d.dump, err)
		}
	}
	return nil, nil
}

// waitingRebuild says of a hold that a rebuild waits for it.
func (t *TablePlan) waitingRebuild(h plan.Hold) plan.Hold {
	h.Reason = fmt.Sprintf("%s; the table stays as it is, as its rebuild needs this dump (%s); %s rebuilds it without the rows of the dump",
		h.Reason, strings.Join(t.Change.Reasons, "; "), t.lossFlags())
	return h
}

// lossFlags are the flags that let the table's rebuild go on without what is gone.
func (t *TablePlan) lossFlags() string {
	if t.repair+t.rewrite != "" {
		return fmt.Sprintf("-repair -target=table.%s -accept-loss=%s", t.Name, t.Name)
	}
	flags := ""
	for _, root := range t.lostIn {
		flags += "-sink-lost=" + root + " "
	}
	return flags + "-accept-loss=" + t.Name
}

// needsHold reports whether what is remembered of a file still matters: of a dump
// that is applied only a rebuild asks.
func (p *Plan) needsHold(h state.Hold) bool {
	if h.Guard != "" {
		return slices.ContainsFunc(p.Holds, func(x plan.Hold) bool { return x.Guard != "" && x.Table == h.Table && x.Dump == h.Dump })
	}
	t := p.snap.Tables[h.Table]
	if t == nil || !slices.ContainsFunc(t.Applied, func(a state.Applied) bool { return a.Dump == h.Dump && !a.Lost }) {
		return true
	}
	return slices.ContainsFunc(p.Holds, func(x plan.Hold) bool { return x.Table == h.Table && x.Dump == h.Dump }) ||
		slices.ContainsFunc(p.tables, func(x *TablePlan) bool { return x.Name == h.Table && slices.Contains(x.Lost, h.Dump) })
}
