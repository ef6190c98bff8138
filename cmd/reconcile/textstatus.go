package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"reconcile/engine/dump"
	"reconcile/engine/health"
	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
)

func (v *textView) status(h *health.Health) {
	v.syncs(h)
	v.tableHealth(h)
	v.stopped(h)
	if list := unjudgedChecks(h.Unjudged); len(list) > 0 {
		v.printf("\nJudged nothing yet, as no dump was taken since: %s.\n", strings.Join(list, ", "))
	}
	v.heldSince(h.Holds)
	for _, t := range h.Unfinished {
		v.printf("\ntable.%s: its last commit is not wholly visible yet; the next apply finishes it.\n", t)
	}
	if len(h.Problems) == 0 {
		v.printf("\n%s\n", v.style.paint("1;32", "Status: healthy"))
		return
	}
	v.printf("\n%s\n\n", v.style.paint("1;31", "Problems:"))
	for _, p := range h.Problems {
		v.printf("  %s\n", problemText(&p))
	}
	v.printf("\n%s\n", v.style.paint("1;31", "Status: "+amount.Of(len(h.Problems), "problem")))
}

// syncs says what the vendor and the source say.
func (v *textView) syncs(h *health.Health) {
	v.printf("\n")
	line := func(name, format string, args ...any) { v.printf("%-14s %s\n", name, fmt.Sprintf(format, args...)) }
	switch s := &h.Sync; {
	case s.Success != nil:
		line("Last success", "%s", when(h, s.Success.Finish))
		if !s.Success.Next.IsZero() {
			line("Next sync", "due at %s", clock(s.Success.Next))
		}
	case s.All > 0:
		line("Last success", "none in %s that %s read", amount.Of(s.Read, "sync report"), amount.Verb(s.Read, "was", "were"))
	default:
		line("Last success", "not known: the source has no sync reports, so the newest manifest stands for it")
	}
	if f := h.Sync.Failure; f != nil {
		line("Last failure", "%s, with status %q%s", when(h, f.Finish), f.Status, reportError(f))
	}
	for i, b := range h.Sync.Broken {
		const most = 5
		if i == most {
			line("Broken report", "and %s more", amount.Number(len(h.Sync.Broken)-most))
			break
		}
		line("Broken report", "%s: %s", b.Key, b.Reason)
	}
	if h.Newest != nil {
		line("Newest dump", "%d, %s", h.Newest.Dump, when(h, h.Newest.At))
	} else {
		line("Newest dump", "none")
	}
	line("User mapping", "%s", mappingHealth(h))
	line("Allowed age", "%s%s", span(h.MaxAge), map[health.Basis]string{
		health.Given: "", health.NextDue: ", which is until 6 h after the next sync is due", health.Default: ", as nothing says when the next sync is due"}[h.Basis])
}

func reportError(r *dump.SyncReport) string {
	if r.Error == "" {
		return ""
	}
	return ": " + r.Error
}

// when says how long ago something was, and when.
func when(h *health.Health, at time.Time) string {
	if d := h.Now.Sub(at); d >= 0 {
		return fmt.Sprintf("%s ago, at %s", span(d), clock(at))
	}
	return "at " + clock(at)
}

// delivery names a dump and its age.
func delivery(h *health.Health, d *health.Delivered) string {
	if d.At.IsZero() {
		return fmt.Sprintf("dump %d, which the source no longer has", d.Dump)
	}
	return fmt.Sprintf("dump %d, %s ago", d.Dump, span(h.Now.Sub(d.At)))
}

func mappingHealth(h *health.Health) string {
	m, text := &h.Mapping, "none was delivered"
	switch {
	case m.InForce != nil:
		text = fmt.Sprintf("of dump %d", *m.InForce)
	case m.Last != nil:
		text = "none is applied"
	}
	if m.Waiting != nil {
		text += "; not applied yet: " + delivery(h, m.Waiting)
	}
	return text
}

// tableHealth lists the tables, and says whether those that were expected came.
func (v *textView) tableHealth(h *health.Health) {
	if len(h.Tables) == 0 {
		return
	}
	v.printf("\n")
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	writeCells(w, "  table", "last delivery", "not applied", "mapping")
	for i := range h.Tables {
		t := &h.Tables[i]
		last, waits, mapping := "none", "-", "-"
		if t.Last != nil {
			last = delivery(h, t.Last)
		}
		switch {
		case t.Unapplied > 0:
			waits = amount.Of(t.Unapplied, "dump")
		case t.Behind:
			waits = "left behind"
		}
		if t.Mapping != nil {
			mapping = fmt.Sprintf("dump %d", *t.Mapping)
		}
		writeCells(w, "  "+t.Name, last, waits, mapping)
	}
	_ = w.Flush() // the writer keeps the error for the end of the program
}

// stopped names what used to come.
func (v *textView) stopped(h *health.Health) {
	names, list := stoppedTables(h)
	if len(names) == 0 {
		if h.Newest != nil && len(h.Tables) > 0 {
			v.printf("\nEvery table that was expected came with dump %d.\n", h.Newest.Dump)
		}
		return
	}
	v.printf("\n%s\n\n", v.style.yellow("These no longer come as they used to:"))
	for i, s := range list {
		usual := "every dump"
		if s.Usual > 1 {
			usual = fmt.Sprintf("one dump of %d, or more often", s.Usual)
		}
		missing := "newest dump"
		if s.Missing > 1 {
			missing = fmt.Sprintf("%s newest dumps", amount.Number(s.Missing))
		}
		v.printf("  %s: not in the %s; it came with %s\n", names[i], missing, usual)
	}
}

// stoppedTables lists what used to come, the mapping too.
func stoppedTables(h *health.Health) (names []string, list []*health.Stopped) {
	mapping := h.Mapping.Stopped != nil
	for i := range h.Tables {
		if t := &h.Tables[i]; t.Stopped != nil {
			names, list = append(names, "table."+t.Name), append(list, t.Stopped)
			mapping = mapping && t.Name != feed.TableMapping
		}
	}
	if mapping {
		names, list = append(names, feed.TableMapping), append(list, h.Mapping.Stopped)
	}
	return names, list
}

// heldSince lists what waits, and since when.
func (v *textView) heldSince(holds []inspect.Hold) {
	if len(holds) == 0 {
		return
	}
	v.printf("\n%s\n\n", v.style.paint("1;33", "Held, while the rest goes on:"))
	all := make([]plan.Hold, len(holds))
	for i := range holds {
		h := &holds[i]
		since := ""
		if !h.Since.IsZero() {
			since = ", since " + clock(h.Since)
		}
		v.printf("  %s%s\n", whereHeld(&h.Hold), since)
		if i+1 == len(holds) || holds[i+1].Reason != h.Reason {
			v.printf("      %s\n", h.Reason)
		}
		all[i] = h.Hold
	}
	v.wayPast(all)
}

// problemText says what is wrong.
func problemText(p *health.Problem) string {
	limit := fmt.Sprintf("%s are allowed", span(p.Limit))
	old := span(p.Age)
	switch {
	case p.Kind == health.Late && p.Since.IsZero():
		return "no sync is known to have succeeded"
	case p.Kind == health.Late && p.Report == nil:
		return fmt.Sprintf("the newest manifest came %s ago; %s", old, limit)
	case p.Kind == health.Late:
		return fmt.Sprintf("the last sync that succeeded ended %s ago; %s", old, limit)
	case p.Kind == health.NoManifest:
		return fmt.Sprintf("the sync of %s succeeded %s ago, and no manifest came since it began", p.Report.Key, old)
	case p.Kind == health.Unapplied:
		return fmt.Sprintf("dump %d came %s ago and is not applied to %s; %s", *p.Dump, old, tableList(p.Tables), limit)
	case p.Kind == health.Held:
		return fmt.Sprintf("%s is held for %s; %s", whereHeld(p.Hold), old, limit)
	case p.Since.IsZero() && p.Dump == nil:
		return fmt.Sprintf("check.%s: %s was never delivered", p.Check, tableList(p.Tables))
	case p.Since.IsZero():
		return fmt.Sprintf("check.%s: %s came last with dump %d, which the source no longer has; %s", p.Check, tableList(p.Tables), *p.Dump, limit)
	}
	return fmt.Sprintf("check.%s: %s came last with dump %d, %s ago; %s", p.Check, tableList(p.Tables), *p.Dump, old, limit)
}

// tableList names tables: all of a few, the first of many.
func tableList(names []string) string {
	const most = 5
	text := "table." + strings.Join(names[:min(most, len(names))], ", table.")
	if n := len(names) - most; n > 0 {
		text += " and " + amount.Number(n) + " more"
	}
	return text
}
