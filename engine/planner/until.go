package planner

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
)

// A source can be read as it was: dumps above until_dump count as not there yet. They
// hold nothing and no table takes them; a table that has some is rebuilt without them.
// What was delivered at all, by which names and masks are judged, they still tell.

// noteLater says how many dumps of the source do not count.
func noteLater(p *Session) {
	n := 0
	for _, d := range p.Listing.Dumps {
		if p.Ask.Later(d.ID) {
			n++
		}
	}
	for _, pr := range p.Listing.Problems {
		if pr.HasDump && p.Ask.Later(pr.Dump) {
			n++
		}
	}
	if n > 0 {
		p.Notices = append(p.Notices, fmt.Sprintf("dumps above until_dump = %d are left out: %s", *p.Ask.Config.Source.UntilDump, amount.Number(n)))
	}
}

// goneLater lists the dumps above until_dump, or above a resync that is held again, whose
// rows a table has and that the source lacks: a rebuild takes them out, and they could not
// come back.
func goneLater(ctx context.Context, p *Session, t *Table) ([]int64, error) {
	if t.Old == nil || t.Kind == feed.KindMapping {
		return nil, nil
	}
	var out []int64
	dumps := lake.StandingDumps(t.Old)
	floor := rules.Live(dumps)
	for _, have := range dumps {
		goes := p.Ask.Later(have.ID) || givesUp(t, have.ID) && !p.Ask.Withdrawn(p.Listing, have.ID, t.Name)
		if !goes || !have.Brings(floor) {
			continue
		}
		d := p.Listing.Dump(have.ID)
		var en *dump.Entry
		if d != nil {
			en = d.Entry(t.Name)
		}
		if en == nil {
			out = append(out, have.ID)
			continue
		}
		h, _, err := checkFiles(ctx, p, t, &Delivery{Dump: have.ID, Entry: en})
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, have.ID)
		}
	}
	return out, nil
}

// NewAgain reports whether a dump that a table has is void, and may count where the table
// goes back: its files are judged as those of a dump that comes for the first time.
func NewAgain(p *Session, t *Table, dump int64) bool {
	return len(p.Ask.goesBack(t.Old)) > 0 && !rules.Live(lake.StandingDumps(t.Old)).Live(dump)
}

// holdFrom holds a table that goes back from a dump on: it is rebuilt from those below.
// It returns what is held.
func (t *Table) holdFrom(h plan.Hold) []plan.Hold {
	t.HeldFrom = &h.Dump
	holds := []plan.Hold{h}
	if before := t.Cut(h.Dump); before != nil {
		holds = append(holds, *before)
	}
	t.Dumps = slices.DeleteFunc(t.Dumps, func(d plan.DumpStep) bool { return d.Dump >= h.Dump })
	return holds
}
