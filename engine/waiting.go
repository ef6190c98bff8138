package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"reconcile/engine/health"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
	"reconcile/state"
)

// What an apply leaves waiting is remembered: since when something is held, and which
// deliveries an apply has seen and not taken. It is written when other tables, sinks or
// dumps are held, or more is delivered that waits. So an apply that finds everything as the
// last one left it writes nothing.

// afterApply is what tells what an apply leaves waiting.
type afterApply struct {
	plan      *planner.Session
	holds     []plan.Hold     // that the apply met
	committed map[string]bool // tables
	failed    bool            // a table did
	at        time.Time
}

// remember brings what the state says of that up to date. snap is the state as it is. One
// that may be older than the lake stays as it is: its backup could replace that of the
// right one.
func (a *afterApply) remember(ctx context.Context, l *state.Lock, snap *state.Snapshot) error {
	if a.plan.ConfigOnly {
		return nil // it did not look at what is pending
	}
	older := a.plan.Heads.TopCommit() > snap.Serial
	if older || slices.ContainsFunc(a.plan.Distrusted, func(name string) bool { return !a.committed[name] }) {
		return nil
	}
	now := a.waiting(snap)
	if sameWaiting(&now, &snap.Waiting) && !slices.ContainsFunc(snap.Waiting.Holds, func(h state.HeldSince) bool { return isOver(h, now.Holds, snap) }) {
		return nil
	}
	return l.Update(ctx, func(tx *state.Tx) error { return tx.SetWaiting(&now) })
}

// waiting is what waits now.
func (a *afterApply) waiting(snap *state.Snapshot) state.Waiting {
	out := state.Waiting{Holds: a.heldSince(snap.Waiting.Holds)}
	behind := map[string]bool{}
	for _, t := range a.plan.Drafts {
		if t.Behind {
			behind[t.Name] = true
		}
	}
	if len(out.Holds)+len(behind)+len(snap.Waiting.Tables) == 0 && !a.failed {
		return out // most nights
	}
	taken := a.takenTables()
	for _, b := range health.Backlogs(a.plan.Ask, a.plan.Listing, snap) {
		if taken[b.Table] {
			out.Tables = append(out.Tables, state.WaitingTable{Table: b.Table, Unapplied: b.Dumps, Newest: b.Newest, Behind: behind[b.Table]})
			delete(behind, b.Table)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(behind)) {
		out.Tables = append(out.Tables, state.WaitingTable{Table: name, Behind: true})
	}
	slices.SortFunc(out.Tables, func(a, b state.WaitingTable) int { return strings.Compare(a.Table, b.Table) })
	return out
}

// takenTables are the tables that the configuration takes, and the mapping.
func (a *afterApply) takenTables() map[string]bool {
	out := map[string]bool{feed.TableMapping: true}
	for _, t := range a.plan.Drafts {
		out[t.Name] = t.Definition != nil
	}
	for _, h := range a.holds { // a new table that is held has no plan
		if h.Table != "" {
			out[h.Table] = true
		}
	}
	return out
}

// heldSince dates what the apply met as held. What it leaves out, for -target or for the
// dumps of a saved plan, it may not have met.
func (a *afterApply) heldSince(was []state.HeldSince) []state.HeldSince {
	since := sinceWhen(was)
	var out []state.HeldSince
	for _, h := range a.holds {
		held := state.HeldSince{Table: h.Table, Sink: h.Sink, Dump: h.Dump, File: h.File, Guard: h.Guard, Object: h.Object, Reason: h.Reason, Accept: h.Accept}
		at, known := since[subjectOf(held)]
		if !known {
			at = a.at.UnixMilli()
		}
		held.Since = at
		out = append(out, held)
	}
	met := sinceWhen(out)
	for _, h := range was {
		leftOut := h.Table != "" && !a.plan.Ask.Targeted(h.Table) || h.Dump != 0 && !a.plan.Ask.Counts(h.Dump)
		if _, again := met[subjectOf(h)]; leftOut && !again {
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, func(a, b state.HeldSince) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), strings.Compare(a.Sink, b.Sink), cmp.Compare(a.Dump, b.Dump), strings.Compare(a.File, b.File))
	})
	return out
}

// heldSubject is what is held: a table, the tables of a sink, or a dump by its manifests.
type heldSubject struct{ table, sink, manifests string }

func subjectOf(h state.HeldSince) heldSubject {
	if h.Table != "" {
		return heldSubject{table: h.Table}
	}
	return heldSubject{sink: h.Sink, manifests: h.File}
}

// sinceWhen says since when each subject is held.
func sinceWhen(holds []state.HeldSince) map[heldSubject]int64 {
	out := map[heldSubject]int64{}
	for _, h := range holds {
		out[subjectOf(h)] = h.Since
	}
	return out
}

// isOver reports whether a table has the dump that held it, and is held by another now. A
// dump that it has can hold it, too, as where its files changed.
func isOver(h state.HeldSince, now []state.HeldSince, snap *state.Snapshot) bool {
	t := snap.Tables[h.Table]
	return t != nil && slices.ContainsFunc(t.Applied, func(a state.Applied) bool { return a.Dump == h.Dump && !a.Lost }) &&
		!slices.ContainsFunc(now, func(x state.HeldSince) bool { return x.Table == h.Table && x.Dump == h.Dump })
}

// sameWaiting reports whether the same waits. An apply can meet another file that holds a
// table than the next plan does, and say it in other words.
func sameWaiting(a, b *state.Waiting) bool {
	return maps.Equal(sinceWhen(a.Holds), sinceWhen(b.Holds)) && slices.Equal(a.Tables, b.Tables)
}
