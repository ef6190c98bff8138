package planner

import (
	"cmp"
	"fmt"
	"strconv"

	"reconcile/engine/identity"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// A guard holds what a dump brings where it looks like an accident of the vendor.
// It judges dump by dump, in the order of their ids, each against what those below
// it give, so that the verdict is the same whatever is applied together. What was
// applied, or accepted by name, is not judged again.

// mappingGuard says how much of a mapping a later one may lack.
type mappingGuard struct {
	from       int              // ids that a mapping must have for others to be judged by it
	maxRemoved definition.Share // of its ids
}

const (
	defaultGuardFrom  = 100
	defaultMaxRemoved = definition.Whole / 2
	// guardRemoved names, in a hold, the guard that tripped.
	guardRemoved = "max_mappings_removed"
)

// mappingGuardOf is the guard that a configuration declares, which judges by every mapping
// that maps someone, or else the default.
func mappingGuardOf(q *Request) mappingGuard {
	if declared := q.Config.MaxMappingsRemoved; declared != nil {
		return mappingGuard{from: 1, maxRemoved: *declared}
	}
	return mappingGuard{from: cmp.Or(q.GuardFrom, defaultGuardFrom), maxRemoved: defaultMaxRemoved}
}

// trips reports whether next lacks too many ids of base, and how many it lacks.
func (g mappingGuard) trips(base, next *identity.Mapping) (removed int, trips bool) {
	if base.Len() < g.from {
		return 0, false
	}
	removed = base.Len() - base.Kept(next)
	return removed, g.maxRemoved.IsExceeded(int64(removed), int64(base.Len()))
}

// AcceptName is what -accept calls a dump of a table.
func AcceptName(table string, dump int64) string { return table + "@" + strconv.FormatInt(dump, 10) }

// hold is that of a mapping that lacks too many of the ids of base.
func (g mappingGuard) hold(d mappingEntry, base *judgedMapping, removed int) plan.Hold {
	name := AcceptName(feed.TableMapping, d.Dump)
	return plan.Hold{Table: feed.TableMapping, Dump: d.Dump, Guard: guardRemoved, Accept: name,
		Reason: fmt.Sprintf("of the %s that the mapping of dump %d maps, this one leaves out %s, more than %s: it is not taken; if it is right, %s takes it, else skip_dump %q { tables = [%q] } passes over it",
			amount.Of(base.mapping.Len(), "user"), base.dump, amount.Number(removed), g.maxRemoved, AcceptFlag(name), fmt.Sprint(d.Dump), feed.TableMapping)}
}

// mappingAccepted reports whether the mapping of a dump was applied or accepted before.
// Of another manifest than now that says nothing.
func (p *Session) mappingAccepted(d mappingEntry) bool {
	if was, ok := p.Snap.Accepted[state.Delivery{Table: feed.TableMapping, Dump: d.Dump}]; ok {
		return was == d.Entry.Digest
	}
	if have := p.Snap.Mapping; have != nil && d.Dump <= have.Dump {
		return d.Dump == have.Dump && d.Entry.Digest == have.Digest
	}
	return p.Heads.HasMapping(d.Dump)
}

// mappingAcceptedBelow reports whether the mapping of any dump below one was applied or
// accepted before.
func (p *Session) mappingAcceptedBelow(dump int64) bool {
	all := p.acceptedDumps(feed.TableMapping)
	return len(all) > 0 && all[0] < dump
}

// judgedMapping is a mapping that counts; read is nil if it is that of the state.
type judgedMapping struct {
	dump    int64
	mapping *identity.Mapping
	read    *MappingRead
}
