package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"reconcile/engine"
	"reconcile/engine/plan"
	"reconcile/engine/stores"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
)

func (v *textView) result(r *engine.Result, err error) {
	v.summary(r)
	v.noted(r)
	v.redelivered(r)
	if w := warnings(r); len(w) > 0 {
		v.printf("\n")
		for _, text := range w {
			v.printf("%s %s\n", v.style.yellow("Warning:"), text)
		}
	}
	v.checks(r.Checks)
	v.traffic(r.Traffic)
	v.holds(r.Holds)
	for _, t := range failed(r, err) {
		v.failure(fmt.Errorf("table.%s: %w", t.Name, t.Err), exitPartial)
	}
	if err != nil {
		return
	}
	v.printf("\n%s\n", v.style.paint("1;32", endLine(r)))
}

// redelivered names the dumps that came again.
func (v *textView) redelivered(r *engine.Result) {
	by, rows := map[int64][]string{}, map[int64]int64{}
	for _, t := range r.Tables {
		if t.RedeliveryOf != nil && t.Err == nil {
			by[*t.RedeliveryOf] = append(by[*t.RedeliveryOf], t.Name)
			rows[*t.RedeliveryOf] += t.Counts.Replaced
		}
	}
	for i, id := range slices.Sorted(maps.Keys(by)) {
		if i == 0 {
			v.printf("\n")
		}
		v.printf("Dump %d was delivered again, unchanged, with %s: %s\n", id, amount.Of(rows[id], "row"), tableList(by[id]))
	}
}

// isOnlyAgain reports whether a table got nothing but a dump that came again: that is told
// in a line for all such tables.
func isOnlyAgain(t *engine.TableResult) bool {
	return t.RedeliveryOf != nil && !slices.ContainsFunc(tally(&t.Counts), func(x counted) bool { return x.n != 0 && x.what != "replaced" })
}

// traffic says what S3 was asked for, as it is billed.
func (v *textView) traffic(list []stores.Traffic) {
	for i, t := range list {
		if i == 0 {
			v.printf("\n")
		}
		var ops []string
		for _, op := range slices.Sorted(maps.Keys(t.Requests)) {
			ops = append(ops, amount.Number(t.Requests[op])+" "+op)
		}
		v.printf("%s to %s (%s), %s received, %s sent\n", amount.Of(t.Total, "request"), t.Place, strings.Join(ops, ", "), size(t.Received), size(t.Sent))
	}
}

// warnings names what was delivered and is in no table.
func warnings(r *engine.Result) []string {
	var out []string
	if n := r.BadMappings; n > 0 {
		out = append(out, fmt.Sprintf("user mapping: %s without both ids went to the quarantine: `reconcile quarantine list`", amount.Of(n, "row")))
	}
	for _, t := range r.Tables {
		if n := len(t.Unlisted); n > 0 {
			var fields []string
			for _, name := range slices.Sorted(maps.Keys(t.Unlisted)) {
				fields = append(fields, fmt.Sprintf("%s (in %s)", name, amount.Of(t.Unlisted[name], "row")))
			}
			out = append(out, fmt.Sprintf("table.%s: the manifest does not list %s of its files, which %s not published: %s",
				t.Name, amount.Of(n, "field"), amount.Verb(n, "is", "are"), strings.Join(amount.Few(fields), ", ")))
		}
		if n := t.Counts.Quarantined; n > 0 && t.Name != feed.TableMapping {
			all := ""
			if n == t.Counts.Read {
				all = ", which is every row that was read of it"
			}
			out = append(out, fmt.Sprintf("table.%s: %s whose keys are missing or are no whole numbers went to the quarantine%s: `reconcile quarantine list`",
				t.Name, amount.Of(n, "row"), all))
		}
		if noneCasts(&t) {
			out = append(out, fmt.Sprintf("table.%s: every row that came has a value that did not cast, so that a type may be wrong: `reconcile show -rescued table.%s`", t.Name, t.Name))
		}
	}
	return out
}

// noneCasts reports whether every row that was read has a value that did not cast. Of users it
// is those that are written that count.
func noneCasts(t *engine.TableResult) bool {
	all := t.Counts.Read - t.Counts.Quarantined
	if t.Name == feed.TableUsers {
		all = t.Counts.Rows
	}
	return all > 0 && t.Counts.Rescued >= all
}

// failed lists the tables that failed while the apply went on.
func failed(r *engine.Result, ended error) []engine.TableResult {
	var out []engine.TableResult
	for _, t := range r.Tables {
		if t.Err != nil && (ended == nil || !errors.Is(ended, t.Err)) {
			out = append(out, t)
		}
	}
	return out
}

// noted says in one line which tables have no other rows than before.
func (v *textView) noted(r *engine.Result) {
	if names := notedIn(r); len(names) > 0 {
		v.printf("\nOnly noted, as no row changed: %s\n", tableList(names))
	}
}

// notedIn names the tables of which an apply noted what they have taken, and wrote nothing.
func notedIn(r *engine.Result) (names []string) {
	for _, t := range r.Tables {
		if t.OnlyNoted() {
			names = append(names, t.Name)
		}
	}
	return names
}

// changed counts the tables that an apply brought to their planned state.
func changed(r *engine.Result) int {
	n := 0
	for _, t := range r.Tables {
		if t.Err == nil {
			n++
		}
	}
	return n
}

// endLine is the last line of an apply.
func endLine(r *engine.Result) string {
	noted := len(notedIn(r))
	done := amount.Of(changed(r)-noted, "table") + " changed"
	if noted > 0 {
		done += ", " + amount.Number(noted) + " only noted"
	}
	if n := len(r.Moved); n > 0 {
		done += ", " + amount.Of(n, "sink") + " known at another place"
	}
	if n := len(r.Forgotten); n > 0 {
		done += ", " + amount.Of(n, "sink") + " forgotten"
	}
	if len(r.Moved)+len(r.Forgotten)+len(r.Tables) == 0 {
		done = "Nothing to change"
	}
	if !r.Partial() {
		return "Apply complete! " + done + "."
	}
	begin, parts := "Applied in part: ", []string{done}
	if changed(r)+len(r.Moved)+len(r.Forgotten) == 0 {
		begin, parts = "No table changed: ", nil
	}
	if n := len(failed(r, nil)); n > 0 {
		parts = append(parts, amount.Number(n)+" failed")
	}
	if n := len(r.Holds); n > 0 {
		parts = append(parts, amount.Number(n)+" held")
	}
	return begin + strings.Join(parts, ", ") + ". It is safe to run again."
}

// summary is a table of what happened to rows, with the columns that are not
// all zero.
func (v *textView) summary(r *engine.Result) {
	var done []engine.TableResult
	for _, t := range r.Tables {
		if t.Err == nil && !t.OnlyNoted() && !isOnlyAgain(&t) {
			done = append(done, t)
		}
	}
	if len(done) == 0 {
		return
	}
	used := map[string]bool{"added": true}
	for _, t := range done {
		for _, x := range tally(&t.Counts) {
			used[x.what] = used[x.what] || x.n != 0
		}
	}
	v.printf("\n")
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "table\t")
	for _, x := range tally(&plan.Counts{}) {
		if used[x.what] {
			say(w, "%s\t", x.what)
		}
	}
	fmt.Fprint(w, "rows now\t\n")
	for _, t := range done {
		say(w, "%s\t", t.Name)
		for _, x := range tally(&t.Counts) {
			if used[x.what] {
				say(w, "%s\t", amount.Number(x.n))
			}
		}
		say(w, "%s\t\n", rowsAfter(t))
	}
	_ = w.Flush() // the writer below keeps the error for the end of the program
}

func rowsAfter(t engine.TableResult) string {
	switch t.Action {
	case plan.Destroy:
		return "destroyed"
	case plan.Forget:
		return "forgotten"
	}
	return amount.Number(t.Counts.Rows)
}
