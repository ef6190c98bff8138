package report

import (
	"slices"
	"strings"
	"time"

	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/internal/notify"
)

// Message is what is told of a run; it has no events if there is nothing to tell.
func (r *Run) Message() notify.Message {
	m := notify.Message{Program: r.Program, Folder: r.Folder, Command: "apply", Began: r.Began.UTC(), Ended: r.Ended.UTC(), ExitCode: r.Code, Errors: r.Errors}
	if r.After != nil {
		m.Lineage = r.After.Lineage
	}
	m.Events = slices.Concat(r.holds(), r.resyncs())
	if kind, ok := codes[r.Code]; ok {
		m.Events = append(m.Events, notify.Event{Event: kind})
	}
	return m
}

var codes = map[int]notify.Kind{1: notify.Failed, 3: notify.Partial, 11: notify.Locked, 12: notify.Stale, 13: notify.Guarded}

// holds compares what the state says to be held before and after. An apply that came to no
// plan has changed nothing of that.
func (r *Run) holds() (out []notify.Event) {
	if !r.Planned || r.After == nil {
		return nil
	}
	for _, h := range r.After.Holds {
		if !among(r.Before, &h) {
			out = append(out, eventOf(notify.HoldBegan, &h))
		}
	}
	for _, h := range r.Before {
		if !among(r.After.Holds, &h) {
			out = append(out, eventOf(notify.HoldEnded, &h))
		}
	}
	return out
}

// among reports whether a hold is in a list. Where a guard holds what a file has held, that
// is another hold: it wants something else of who is told.
func among(list []inspect.Hold, h *inspect.Hold) bool {
	return slices.ContainsFunc(list, func(x inspect.Hold) bool {
		return x.Guard == h.Guard && (x.Same(h) || x.Table == h.Table && namesNewest(h))
	})
}

// namesNewest reports whether a hold goes on under the newest dump that waits: those of
// checks and of the mapping do.
func namesNewest(h *inspect.Hold) bool {
	return h.Guard != "" && (h.Table == feed.TableMapping || strings.HasPrefix(h.Guard, plan.CheckAddress("")))
}

func eventOf(kind notify.Kind, h *inspect.Hold) notify.Event {
	e := notify.Event{Event: kind, Table: h.Table, Sink: h.Sink, Dump: h.Dump, File: h.File, Guard: h.Guard, Reason: h.Reason, Since: known(h.Since)}
	if kind == notify.HoldBegan {
		e.Accept = h.Accept
	}
	return e
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// resyncs are the vendor's full resyncs that the run has committed.
func (r *Run) resyncs() (out []notify.Event) {
	if r.Result == nil {
		return nil
	}
	for _, t := range r.Result.Tables {
		for _, dump := range t.Resyncs {
			rows, removed := t.Counts.Rows, t.Counts.Removed
			out = append(out, notify.Event{Event: notify.ResyncApplied, Table: t.Name, Dump: dump, Rows: &rows, Removed: &removed})
		}
	}
	return out
}
