package inspect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/state"
)

// Hold is something that waits.
type Hold struct {
	plan.Hold
	Since time.Time // zero where that is not known
}

// Same reports whether two holds are of the same thing: a table is held from a dump on, or
// by an object of the state, and a dump by its manifests.
func (h *Hold) Same(o *Hold) bool {
	return h.Table == o.Table && h.Sink == o.Sink && h.Dump == o.Dump && h.Object == o.Object && (h.Table != "" || h.File == o.File)
}

// Holds lists what the state remembers of holds, by table and dump: what the last apply
// met, and what earlier versions remembered.
func Holds(snap *state.Snapshot) []Hold {
	var out []Hold
	for _, h := range snap.Waiting.Holds {
		out = append(out, Hold{withAccept(plan.Hold{Table: h.Table, Sink: h.Sink, Dump: h.Dump, File: h.File, Guard: h.Guard, Object: h.Object, Reason: h.Reason, Accept: h.Accept}), state.Time(h.Since)})
	}
	for _, h := range snap.Holds {
		hold := Hold{Hold: rememberedHold(h), Since: heldSince(snap, h.Table)}
		if !lost(snap.Tables[h.Table], h.Dump) && !slices.ContainsFunc(out, func(x Hold) bool { return x.Same(&hold) }) {
			out = append(out, hold)
		}
	}
	slices.SortStableFunc(out, func(a, b Hold) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), cmp.Compare(a.Dump, b.Dump))
	})
	return out
}

// heldSince is since when a table is held, for whatever reason; zero if that is not known.
func heldSince(snap *state.Snapshot, table string) time.Time {
	i := slices.IndexFunc(snap.Waiting.Holds, func(h state.HeldSince) bool { return table != "" && h.Table == table })
	if i < 0 {
		return time.Time{}
	}
	return state.Time(snap.Waiting.Holds[i].Since)
}

// rememberedHold is a hold as those who read the state again have it.
func rememberedHold(h state.Hold) plan.Hold {
	if h.Object != "" {
		return plan.Hold{Table: h.Table, Object: h.Object, Reason: fmt.Sprintf("object %s of the state cannot be read: %s", h.Object, h.Reason)}
	}
	return withAccept(plan.Hold{Table: h.Table, Dump: h.Dump, File: h.File, Guard: h.Guard, Reason: h.Reason})
}

// withAccept names what lets a delivery through that a guard holds, where an earlier
// version did not keep that.
func withAccept(h plan.Hold) plan.Hold {
	if h.Guard != "" && h.Accept == "" {
		h.Accept = planner.AcceptName(h.Table, h.Dump)
	}
	return h
}

// lost reports whether a rebuild of the table went on without a dump.
func lost(t *state.Table, dump int64) bool {
	return t != nil && slices.ContainsFunc(t.Applied, func(a state.Applied) bool { return a.Lost && a.Dump == dump })
}

// NameWaysPast gives the holds the blocks that go past them.
func NameWaysPast(cfg *config.Config, holds []Hold) {
	list := make([]plan.Hold, len(holds))
	for i, h := range holds {
		list[i] = h.Hold
	}
	planner.NamesWayPast(cfg, list)
	for i, h := range list {
		holds[i].Hold = h
	}
}
