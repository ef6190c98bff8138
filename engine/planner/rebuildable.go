package planner

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

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
	for key, err := range d.Entry.Files.All() {
		if err != nil {
			return nil, err
		}
		h, err := p.Source.Open(ctx, key)
		switch {
		case err == nil:
			err = h.Close()
		case !dump.Unavailable(err):
			return &plan.Hold{Table: t.Name, Dump: d.Dump, File: key, Reason: p.Source.FileReason(ctx, key, err)}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("table %s, dump %d: %w", t.Name, d.Dump, err)
		}
	}
	return nil, nil
}

// keptDumps lists the dumps that the table has, and which of them are withdrawn.
func keptDumps(p *Session, t *Table) []rules.Dump {
	out := lake.StandingDumps(t.Old)
	for i := range out {
		out[i].Withdrawn, out[i].Held = p.Ask.Withdrawn(p.Listing, out[i].ID, t.Name), givesUp(t, out[i].ID)
	}
	return out
}

// unreadableDumps lists the dumps that a rebuild of the table would need, and that the
// source no longer has whole.
func unreadableDumps(ctx context.Context, p *Session, t *Table) ([]int64, error) {
	var out []int64
	for _, id := range RebuiltFrom(p, t) {
		h, _, err := CheckRebuild(ctx, p, t, id)
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, id)
		}
	}
	return out, nil
}
