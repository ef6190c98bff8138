package planner

import (
	"fmt"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
	"reconcile/state"
)

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
func GoneMappingsText(m *plan.Mapping) string {
	return fmt.Sprintf("until_dump takes the user mapping of dump %d back, and the source no longer has %s of %s", *m.From, amount.Verb(len(m.Gone), "that", "those"), plan.DumpNames(m.Gone))
}

// bringsOther reports whether a dump has another mapping now than was accepted.
func bringsOther(p *Session, id int64) bool {
	d := p.Listing.Dump(id)
	return d != nil && (d.Entry(feed.TableMapping) == nil || d.Entry(feed.TableMapping).Digest != p.Snap.Accepted[state.Delivery{Table: feed.TableMapping, Dump: id}])
}
