package engine

import (
	"context"
	"fmt"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// A source can be read as it was: dumps above until_dump count as not there yet. They
// hold nothing and no table takes them; a table that has some is rebuilt without them.
// What was delivered at all, by which names and masks are judged, they still tell.

// noteLater says how many dumps of the source do not count.
func noteLater(p *Plan) {
	n := 0
	for _, d := range p.listing.Dumps {
		if p.ask.Later(d.ID) {
			n++
		}
	}
	for _, pr := range p.listing.Problems {
		if pr.HasDump && p.ask.Later(pr.Dump) {
			n++
		}
	}
	if n > 0 {
		p.Notices = append(p.Notices, fmt.Sprintf("dumps above until_dump = %d are left out: %d", *p.ask.Config.Source.UntilDump, n))
	}
}

// takenBack says which dumps a table loses by until_dump.
func takenBack(ids []int64) string {
	if len(ids) == 1 {
		return fmt.Sprintf("dump %d is taken back", ids[0])
	}
	return fmt.Sprintf("%d dumps are taken back, %d to %d", len(ids), ids[0], ids[len(ids)-1])
}

// goneLater lists the dumps above until_dump whose rows a table has and that the source
// lacks: a rebuild takes them out, and they could not come back.
func goneLater(ctx context.Context, p *Plan, t *TablePlan) ([]int64, error) {
	if t.old == nil || t.kind == feed.KindMapping {
		return nil, nil
	}
	var out []int64
	for _, a := range t.old.Applied {
		if a.Lost || !p.ask.Later(a.Dump) || isVoid(t.old, a.Dump) {
			continue
		}
		d := p.listing.Dump(a.Dump)
		var en *dump.Entry
		if d != nil {
			en = d.Entry(t.Name)
		}
		if en == nil {
			out = append(out, a.Dump)
			continue
		}
		h, _, err := checkFiles(ctx, p, t, &delivery{dump: a.Dump, entry: en})
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, a.Dump)
		}
	}
	return out, nil
}

// isVoid reports whether a full resync that a table has makes one of its dumps void.
func isVoid(old *state.Table, dump int64) bool {
	return slices.ContainsFunc(old.Applied, func(a state.Applied) bool { return !a.Incremental && a.Dump > dump })
}

// newAgain reports whether a dump that a table has is void, and may count where the table
// goes back: its files are judged as those of a dump that comes for the first time.
func newAgain(p *Plan, t *TablePlan, dump int64) bool {
	return len(p.ask.GoesBack(t.old)) > 0 && isVoid(t.old, dump)
}

// holdFrom holds a table that goes back from a dump on: it is rebuilt from those below.
// It returns what is held.
func (t *TablePlan) holdFrom(h plan.Hold) []plan.Hold {
	t.heldFrom = &h.Dump
	holds := []plan.Hold{h}
	if before := t.cut(h.Dump); before != nil {
		holds = append(holds, *before)
	}
	t.Dumps = slices.DeleteFunc(t.Dumps, func(d plan.DumpStep) bool { return d.Dump >= h.Dump })
	return holds
}

// goneMappings lists the mappings that going back loses: that of the state, if it is
// taken back and the source lacks it, and what counted before it, if that is not there
// any more to follow back to.
func goneMappings(p *Plan) []int64 {
	have := p.snap.Mapping
	if have == nil || !p.ask.Later(have.Dump) {
		return nil
	}
	var out []int64
	for _, id := range p.acceptedDumps(feed.TableMapping) {
		if !p.ask.Later(id) && (p.standing == nil || id > p.standing.Dump) && !p.ask.Skipped(id, feed.TableMapping) && !bringsOther(p, id) {
			out = append(out, id)
		}
	}
	if d := p.listing.Dump(have.Dump); d == nil || d.Entry(feed.TableMapping) == nil {
		out = append(out, have.Dump)
	}
	return out
}

// goneMappingsText says what going back loses of the mappings.
func (p *Plan) goneMappingsText() string {
	return fmt.Sprintf("until_dump takes the user mapping of dump %d back, and the source no longer has the mappings of dumps %v", p.snap.Mapping.Dump, p.Mapping.Gone)
}

// bringsOther reports whether a dump has another mapping now than was accepted.
func bringsOther(p *Plan, id int64) bool {
	d := p.listing.Dump(id)
	return d != nil && (d.Entry(feed.TableMapping) == nil || d.Entry(feed.TableMapping).Digest != p.snap.Accepted[state.Delivery{Table: feed.TableMapping, Dump: id}])
}

// acceptedDumps lists the dumps of a table that were applied or accepted before.
func (p *Plan) acceptedDumps(table string) []int64 {
	var out []int64
	for d := range p.snap.Accepted {
		if d.Table == table {
			out = append(out, d.Dump)
		}
	}
	slices.Sort(out)
	return out
}
