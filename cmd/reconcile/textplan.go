package main

import (
	"fmt"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/plain"
)

func (v *textView) plan(p *plan.Plan) {
	for _, n := range p.Notices {
		v.printf("%s %s\n", v.style.yellow("Note:"), n)
	}
	if len(p.Recover) > 0 {
		v.printf("\nThe apply first finishes what an interrupted one had committed: %s.\n", strings.Join(p.Recover, ", "))
	}
	if len(p.Accepted) > 0 {
		v.printf("\nTaken with their changed manifests: %s.\n", idList(p.Accepted))
	}
	for _, m := range p.Moved {
		v.printf("\nThe sink that was at %s is known at %s: %s. What was at the old place is not looked at.\n", m.From, m.To, plural(int64(len(m.Tables)), "table"))
	}
	for _, root := range p.Restated {
		v.printf("\n%s/_reconcile/current.json is written again: it does not say what the state does, and the files are as the state knows them.\n", root)
	}
	if len(p.AcceptedNow) > 0 {
		v.printf("\nTaken although a guard tripped: %s.\n", strings.Join(p.AcceptedNow, ", "))
	}
	destructive, steps, behind := split(p)
	v.steps(v.style.paint("1;31", "Destructive steps, which replace or remove what is there:"), destructive)
	v.forgotten(p.Forgotten)
	v.mapping(&p.Mapping)
	v.steps(v.style.bold("Steps:"), steps)
	v.holds(p.Holds)
	for _, t := range behind {
		v.printf("\ntable.%s is left behind: -target does not name it.\n", t.Name)
	}
	if len(p.Unclaimed) > 0 {
		v.printf("\nDelivered, but no table block takes it: %s.\nAdd a block, or say ignore %q {}.\n",
			strings.Join(p.Unclaimed, ", "), p.Unclaimed[0])
	}
	v.printf("\n%s\n", v.style.bold(countingLine(p)))
}

// countingLine is the last line of a plan.
func countingLine(p *plan.Plan) string {
	held := heldText(p.Holds)
	if p.Changes() {
		add, change, destroy := p.Counts()
		line := fmt.Sprintf("Plan: %s to add, %d to change, %d to destroy", plural(int64(add), "table"), change, destroy)
		if n := len(p.Forgotten); n > 0 {
			line += fmt.Sprintf(", %s to forget", plural(int64(n), "sink"))
		}
		if held != "" {
			line += ", " + held
		}
		return line
	}
	if held != "" {
		return "No changes, " + held + ": what is held waits until its reason is gone."
	}
	return "No changes. Every table is what the configuration and the export say."
}

// heldText counts what is held; "" for nothing. By it -detailed-exitcode, whose 2 hides
// that, still shows whether a guard holds something.
func heldText(holds []plan.Hold) string {
	if len(holds) == 0 {
		return ""
	}
	text := fmt.Sprintf("%d held", len(holds))
	if n := heldByGuards(holds); n > 0 {
		text += fmt.Sprintf(" (%d by a guard)", n)
	}
	return text
}

// forgotten lists the sinks that the state forgets.
func (v *textView) forgotten(list []plan.ForgottenSink) {
	if len(list) == 0 {
		return
	}
	v.printf("\n%s\n\n", v.style.bold("Sinks to forget, which are not looked at and keep what they have:"))
	for _, f := range list {
		v.printf("%s %s: %s of %s\n", v.style.yellow("  ."), f.Root, plural(int64(f.Files), "file"), strings.Join(f.Tables, ", "))
	}
}

// mapping says what becomes of the user mapping.
func (v *textView) mapping(m *plan.Mapping) {
	switch {
	case m.To == nil && m.From != nil:
		v.printf("\n%s that of dump %d is withdrawn, and there is no other: %s parted.\n", v.style.bold("User mapping:"), *m.From, plural(int64(m.Parted), "user"))
	case m.To == nil:
	case m.From == nil:
		v.printf("\n%s dump %d brings the first one, of %s: %s merged.\n", v.style.bold("User mapping:"), *m.To,
			plural(int64(m.Entries), "entry"), plural(int64(m.Merged), "user"))
	case *m.From == *m.To && m.Merged+m.Parted > 0:
		v.printf("\n%s that of dump %d has changed, and has %s now: %s merged, %s parted.\n", v.style.bold("User mapping:"),
			*m.To, plural(int64(m.Entries), "entry"), plural(int64(m.Merged), "user"), count(int64(m.Parted)))
	case *m.From != *m.To:
		v.printf("\n%s that of dump %d, of %s, replaces that of dump %d: %s merged, %s parted.\n", v.style.bold("User mapping:"),
			*m.To, plural(int64(m.Entries), "entry"), *m.From, plural(int64(m.Merged), "user"), count(int64(m.Parted)))
	}
	for _, n := range m.Notes {
		v.printf("%s %s\n", v.style.yellow("Warning: user mapping:"), n)
	}
}

// steps lists what becomes of tables.
func (v *textView) steps(title plain.Trusted, tables []*plan.Table) {
	if len(tables) == 0 {
		return
	}
	v.printf("\n%s\n\n", title)
	for _, t := range tables {
		symbol := fmt.Sprintf("%3s", string(t.Action))
		v.printf("%s table.%s: %s\n", v.colour(t.Action, symbol), t.Name, actionText(t))
		for _, line := range details(t) {
			v.printf("        %s\n", line)
		}
		if n := needs(t); len(n) > 0 {
			v.printf("        %s\n", v.style.red("needs "+strings.Join(n, " ")))
		}
	}
}

func (v *textView) colour(a plan.Action, s string) plain.Trusted {
	switch a {
	case plan.Create:
		return v.style.green(s)
	case plan.Destroy, plan.Rebuild:
		return v.style.red(s)
	}
	return v.style.yellow(s)
}

func actionText(t *plan.Table) string {
	switch t.Action {
	case plan.Create:
		return "create"
	case plan.Rebuild:
		return "rebuild from the source"
	case plan.Destroy:
		return fmt.Sprintf("destroy, with %s", plural(t.RowsNow, "row"))
	case plan.Forget:
		return "forget; its files stay"
	}
	if t.Change.Class == plan.ClassRewrite {
		return "rewrite from the sink"
	}
	return "update"
}

// details are the lines below a table of a plan.
func details(t *plan.Table) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, r := range t.Change.Reasons {
		add("%s", r)
	}
	out = append(out, dumpLines(t)...)
	if len(t.NewColumns) > 0 {
		add("new columns: %s", strings.Join(t.NewColumns, ", "))
	}
	if t.Rekeyed > 0 {
		add("%s with another canonical id", plural(int64(t.Rekeyed), "user"))
	}
	if line := costLine(t); line != "" {
		add("%s", line)
	}
	if t.Scratch > 0 && t.Action != plan.Destroy && t.Action != plan.Forget {
		add("~%s of scratch_dir meanwhile", size(t.Scratch))
	}
	if t.Counts != nil {
		add("rows: %s", countsText(t.Counts))
	}
	for _, d := range t.Destroys {
		add("destroys %s", d)
	}
	for _, f := range t.Removes {
		add("removes %s, which the state does not know", f)
	}
	if len(t.Lost) > 0 {
		add("%s: gone from the source, their rows would be lost", idList(t.Lost))
	}
	if t.LostMapping != nil {
		add("the user mapping of dump %d: gone from the source", *t.LostMapping)
	}
	return out
}

// dumpLines names the dumps to apply: full resyncs and what is read again one by
// one, what is void and the others together.
func dumpLines(t *plan.Table) []string {
	var out []string
	var plain, void []int64
	files, bytes := 0, int64(0)
	for _, d := range t.Dumps {
		switch {
		case d.Void:
			void = append(void, d.Dump)
		case d.Again:
			out = append(out, fmt.Sprintf("dump %d: read again, as a file of it has grown since, %s, %s to read", d.Dump, plural(int64(d.Files), "file"), size(d.Bytes)))
		case d.Resync:
			line := fmt.Sprintf("dump %d: full resync, %s, %s to read", d.Dump, plural(int64(d.Files), "file"), size(d.Bytes))
			if t.RowsNow > 0 {
				line += fmt.Sprintf("; voids what is there, %s", plural(t.RowsNow, "row"))
			}
			out = append(out, line)
		default:
			plain = append(plain, d.Dump)
			files += d.Files
			bytes += d.Bytes
		}
	}
	if len(void) > 0 {
		out = append(out, idList(void)+": void, not read")
	}
	if len(plain) > 0 {
		out = append(out, fmt.Sprintf("%s: %s, %s to read", idList(plain), plural(int64(files), "file"), size(bytes)))
	}
	return out
}

// costLine says what there is to write.
func costLine(t *plan.Table) string {
	if t.BytesToWrite == 0 && t.Partitions == 0 || t.Action == plan.Destroy || t.Action == plan.Forget {
		return ""
	}
	about := "~"
	if t.Exact {
		about = ""
	}
	if t.PartitionsNow == 0 && t.Partitions == 0 {
		return fmt.Sprintf("%s%s to write", about, size(t.BytesToWrite))
	}
	return fmt.Sprintf("%s%s to rewrite (there are %s), %s%s to write", about, plural(t.Partitions, "partition"),
		count(int64(t.PartitionsNow)), about, size(t.BytesToWrite))
}

// countsText says what happens to rows, leaving out what does not.
func countsText(c *plan.Counts) string {
	var parts []string
	for _, x := range tally(c) {
		if x.n != 0 {
			parts = append(parts, count(x.n)+" "+x.what)
		}
	}
	if len(parts) == 0 {
		return "none changes"
	}
	return strings.Join(parts, ", ")
}

// counted is one of the numbers of an apply.
type counted struct {
	what string
	n    int64
}

// tally lists the numbers that people ask for, in the order of the summary.
func tally(c *plan.Counts) []counted {
	return []counted{
		{"added", c.Added}, {"replaced", c.Replaced}, {"re-keyed", c.Rekeyed}, {"collapsed", c.Collapsed},
		{"revived", c.Revived}, {"removed", c.Removed}, {"quarantined", c.Quarantined}, {"rescued", c.Rescued},
		{"rounded", c.Rounded},
	}
}
