package planner

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
		p.Notices = append(p.Notices, fmt.Sprintf("dumps above until_dump = %d are left out: %d", *p.Ask.Config.Source.UntilDump, n))
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
func goneLater(ctx context.Context, p *Session, t *Table) ([]int64, error) {
	if t.Old == nil || t.Kind == feed.KindMapping {
		return nil, nil
	}
	var out []int64
	for _, a := range t.Old.Applied {
		if a.Lost || !p.Ask.Later(a.Dump) || isVoid(t.Old, a.Dump) {
			continue
		}
		d := p.Listing.Dump(a.Dump)
		var en *dump.Entry
		if d != nil {
			en = d.Entry(t.Name)
		}
		if en == nil {
			out = append(out, a.Dump)
			continue
		}
		h, _, err := checkFiles(ctx, p, t, &Delivery{Dump: a.Dump, Entry: en})
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

// NewAgain reports whether a dump that a table has is void, and may count where the table
// goes back: its files are judged as those of a dump that comes for the first time.
func NewAgain(p *Session, t *Table, dump int64) bool {
	return len(p.Ask.GoesBack(t.Old)) > 0 && isVoid(t.Old, dump)
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

// goneMappings lists the mappings that going back loses: that of the state, if it is
// taken back and the source lacks it, and what counted before it, if that is not there
// any more to follow back to.
func goneMappings(p *Session) []int64 {
	have := p.Snap.Mapping
	if have == nil || !p.Ask.Later(have.Dump) {
		return nil
	}
	var out []int64
	for _, id := range p.acceptedDumps(feed.TableMapping) {
		if !p.Ask.Later(id) && (p.Standing == nil || id > p.Standing.Dump) && !p.Ask.Skipped(id, feed.TableMapping) && !bringsOther(p, id) {
			out = append(out, id)
		}
	}
	if d := p.Listing.Dump(have.Dump); d == nil || d.Entry(feed.TableMapping) == nil {
		out = append(out, have.Dump)
	}
	return out
}

// GoneMappingsText says what going back loses of the mappings.
func (p *Session) GoneMappingsText() string {
	return fmt.Sprintf("until_dump takes the user mapping of dump %d back, and the source no longer has the mappings of dumps %v", p.Snap.Mapping.Dump, p.Mapping.Gone)
}

// bringsOther reports whether a dump has another mapping now than was accepted.
func bringsOther(p *Session, id int64) bool {
	d := p.Listing.Dump(id)
	return d != nil && (d.Entry(feed.TableMapping) == nil || d.Entry(feed.TableMapping).Digest != p.Snap.Accepted[state.Delivery{Table: feed.TableMapping, Dump: id}])
}

// acceptedDumps lists the dumps of a table that were applied or accepted before.
func (p *Session) acceptedDumps(table string) []int64 {
	var out []int64
	for d := range p.Snap.Accepted {
		if d.Table == table {
			out = append(out, d.Dump)
		}
	}
	slices.Sort(out)
	return out
}
