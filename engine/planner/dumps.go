package planner

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
)

// planDumps finds the dumps that the table takes now, and where it is held.
func planDumps(ctx context.Context, p *Session, t *Table) error {
	applied, err := appliedDumps(ctx, p, t)
	if err != nil {
		return err
	}
	if err := probeFresh(ctx, p, t, applied); err != nil {
		return err
	}
	tripped, err := judgeResyncs(ctx, p, t, applied)
	if err != nil {
		return err
	}
	if giveUpTripped(t, tripped, applied); t.HeldFrom != nil {
		if err := probeFresh(ctx, p, t, applied); err != nil {
			return err
		}
	}
	dumps := keptResyncs(p, t)
	t.resync = rules.Live(dumps)
	bad := map[int64]plan.Hold{}
	sizes := map[int64]int64{}
	width := newWidth(t)
	for i := range t.All {
		d := &t.All[i]
		if applied[i] {
			if !d.Entry.Incremental { // no other dump moves the floor
				dumps = append(dumps, rules.Dump{ID: d.Dump, Full: true, Held: d.Entry.Problem != ""})
			}
			continue
		}
		h, size, err := checkDelivery(ctx, p, t, d)
		if err != nil {
			return err
		}
		if h == nil {
			h = width.take(d)
		}
		sizes[d.Dump] = size
		if h != nil {
			bad[d.Dump] = *h
		}
		dumps = append(dumps, rules.Dump{ID: d.Dump, Full: !d.Entry.Incremental, Held: h != nil})
	}
	for i := range dumps {
		if h, ok := tripped[dumps[i].ID]; ok && !dumps[i].Held {
			dumps[i].Held, bad[h.Dump] = true, h
		}
	}
	t.Bad = bad
	t.Floor = rules.Live(dumps)
	if err := compareRead(ctx, p, t, sizes); err != nil {
		return err
	}
	t.takeDumps(p, applied, sizes)
	return nil
}

// keptResyncs lists the full resyncs among the dumps that the table has.
func keptResyncs(p *Session, t *Table) []rules.Dump {
	if t.Old == nil {
		return nil
	}
	var out []rules.Dump
	for _, d := range lake.StandingDumps(t.Old) {
		if d.Full {
			d.Withdrawn = p.Ask.Withdrawn(p.Listing, d.ID, t.Name)
			d.Held = givesUp(t, d.ID)
			out = append(out, d)
		}
	}
	return out
}

// probeFresh looks for the files of the deliveries that the table does not have.
func probeFresh(ctx context.Context, p *Session, t *Table, applied []bool) error {
	var fresh []Delivery
	for i, d := range t.All {
		if !applied[i] && d.Entry.Problem == "" {
			fresh = append(fresh, d)
		}
	}
	if err := probeFiles(ctx, p, fresh); err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	return nil
}

// giveUpTripped has a table give up what it has from the first full resync on that trips: it
// was void until now, as another one was there that made it so. What it gives up comes again.
func giveUpTripped(t *Table, tripped map[int64]plan.Hold, applied []bool) {
	for i, d := range t.All {
		if _, trips := tripped[d.Dump]; trips && applied[i] && t.HeldFrom == nil {
			t.HeldFrom = &t.All[i].Dump
		}
		applied[i] = applied[i] && !givesUp(t, d.Dump)
	}
}

// givesUp reports whether a rebuild of the table takes a dump out that it has.
func givesUp(t *Table, dump int64) bool { return t.HeldFrom != nil && dump >= *t.HeldFrom }

// appliedDumps tells of each of all deliveries whether the table has its dump. One
// that was lost, or that published rows stand in for, it has no longer once the source has it
// again: it then comes as a late one.
func appliedDumps(ctx context.Context, p *Session, t *Table) ([]bool, error) {
	applied := make([]bool, len(t.All))
	if t.Old == nil {
		return applied, nil
	}
	find := t.finder()
	for _, a := range t.Old.Applied {
		i := find(a.Dump)
		if i < 0 {
			continue
		}
		applied[i] = true
		if !a.Lost && !a.StoodIn {
			continue
		}
		h, _, err := checkFiles(ctx, p, t, &t.All[i])
		if err != nil {
			return nil, err
		}
		applied[i] = h != nil
	}
	return applied, nil
}

// takeDumps lists the pending dumps below the first bad one that no good
// resync makes void. Of the others above it, a resync that a guard holds is named, too:
// accepted, it makes that one void.
func (t *Table) takeDumps(p *Session, applied []bool, sizes map[int64]int64) {
	held := false
	for i, d := range t.All {
		h, bad := t.Bad[d.Dump]
		bad = bad && (applied[i] || t.Floor.Before(d.Dump))
		if bad && (!held || h.Guard != "") {
			p.Holds = append(p.Holds, h)
		}
		if bad && h.Guard != "" {
			break // what is above is judged when this one is accepted, or void
		}
		if held = held || bad; held {
			continue
		}
		if applied[i] && !d.Again {
			continue
		}
		t.Pending = append(t.Pending, d)
		step := plan.DumpStep{Dump: d.Dump, Resync: !d.Entry.Incremental && !d.Again, Void: !t.Floor.Live(d.Dump), Again: d.Again}
		if !step.Void {
			step.Files, step.Bytes = d.Entry.Files.Len(), sizes[d.Dump]
		}
		t.Dumps = append(t.Dumps, step)
	}
}

// Cut takes the dumps from one on out of the pending ones. If a resync is among
// them, a bad dump that it would have voided holds the table, too: that hold is
// returned.
func (t *Table) Cut(from int64) *plan.Hold {
	t.Pending = slices.DeleteFunc(t.Pending, func(d Delivery) bool { return d.Dump >= from })
	dumps := []rules.Dump{{ID: int64(t.resync), Full: true}} // or AllLive
	for _, d := range t.Pending {
		dumps = append(dumps, rules.Dump{ID: d.Dump, Full: !d.Entry.Incremental, Held: t.Bad[d.Dump].Table != ""})
	}
	t.Floor = rules.Live(dumps)
	for _, d := range t.Pending {
		if h, ok := t.Bad[d.Dump]; ok && t.Floor.Before(d.Dump) {
			t.Pending = slices.DeleteFunc(t.Pending, func(x Delivery) bool { return x.Dump >= d.Dump })
			return &h
		}
	}
	return nil
}
