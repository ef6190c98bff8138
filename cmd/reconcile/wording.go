package main

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

// What plans say is worded once. Each view gives it the form in which it shows texts of
// others: a function like fmt.Sprintf, of which the arguments are names, lists of names,
// numbers, and what is the program's own, which is plain.Trusted.

// sentence is the form of text: who prints it escapes it.
func sentence(format string, args ...any) string {
	for i, a := range args {
		if list, ok := a.([]string); ok {
			args[i] = strings.Join(list, ", ")
		}
	}
	return fmt.Sprintf(format, args...)
}

// number is amount.Of for a wording.
func number[T int | int64](n T, one string) plain.Trusted {
	return plain.Trusted(amount.Of(n, one))
}

// volume is size for a wording.
func volume(n int64) plain.Trusted { return plain.Trusted(size(n)) }

// ids is plan.DumpNames for a wording.
func ids(list []int64) plain.Trusted { return plain.Trusted(plan.DumpNames(list)) }

// countingLine is the last line of a plan.
func countingLine(p *plan.Plan) string {
	held := heldText(p.Holds)
	if p.RefreshOnly {
		return driftLine(p, held)
	}
	if p.ConfigOnly && p.Tables == nil && len(p.Config) > 0 {
		return fmt.Sprintf("Plan: the configuration changes %s.", amount.Of(len(p.Config), "table"))
	}
	if p.Changes() {
		add, change, destroy := p.Counts()
		_, noted := onlyNoted(p)
		line := fmt.Sprintf("Plan: %s to add, %s to change, %s to destroy", amount.Of(add, "table"), amount.Number(change-len(noted)), amount.Number(destroy))
		if n := len(noted); n > 0 {
			line += ", " + amount.Number(n) + " only to note"
		}
		if n := len(p.Forgotten); n > 0 {
			line += fmt.Sprintf(", %s to forget", amount.Of(n, "sink"))
		}
		if held != "" {
			line += ", " + held
		}
		return line
	}
	if held != "" {
		return "No changes, " + held + ": what is held waits until its reason is gone."
	}
	if p.ConfigOnly {
		return "No changes. Every table that there is was applied under this configuration."
	}
	return "No changes. Every table is what the configuration and the export say."
}

// driftLine is the last line where only the sinks were compared.
func driftLine(p *plan.Plan, held string) string {
	if held != "" {
		held = ", " + held
	}
	var where []string
	if n := len(p.Drifted()); n > 0 {
		where = append(where, amount.Of(n, "table"))
	}
	if n := len(p.Restated); n > 0 {
		where = append(where, "current.json of "+amount.Of(n, "sink"))
	}
	if len(where) == 0 {
		return "No drift" + held + ". What was compared is as the state says."
	}
	return "Drift in " + strings.Join(where, " and in ") + held + ". `reconcile plan` shows how it is mended."
}

// heldText counts what is held; "" for nothing. By it -detailed-exitcode, whose 2 hides
// that, still shows whether a guard holds something.
func heldText(holds []plan.Hold) string {
	if len(holds) == 0 {
		return ""
	}
	text := amount.Number(len(holds)) + " held"
	if n := heldByGuards(holds); n > 0 {
		text += " (" + amount.Number(n) + " by a guard)"
	}
	return text
}

// facts say what an apply does beside the steps of tables.
func facts[T ~string](p *plan.Plan, word func(format string, args ...any) T) []T {
	var out []T
	add := func(format string, args ...any) { out = append(out, word(format, args...)) }
	if r := p.Raise; r != nil {
		add("The format of the state is raised from %d to %d by the first commit of an apply, which backs the state up before. After that only reconcile %s or later reads it.", r.From, r.To, r.Program)
	}
	if len(p.Recover) > 0 {
		add("The apply first finishes what an interrupted one had committed: %s.", p.Recover)
	}
	if len(p.Accepted) > 0 {
		add("Taken with their changed manifests: %s.", ids(p.Accepted))
	}
	for _, m := range p.Moved {
		add("The sink that was at %s is known at %s: %s. What was at the old place is not looked at.", m.From, m.To, number(len(m.Tables), "table"))
	}
	for _, root := range p.Restated {
		again := plain.Trusted("is written again: it ")
		if p.RefreshOnly {
			again = ""
		}
		add("%s %sdoes not say what the state does, and the files are as the state knows them.", root+"/_reconcile/current.json", again)
	}
	if dumps, tables := onlyNoted(p); len(tables) > 0 {
		what := plain.Trusted("the user mapping")
		if len(dumps) > 0 {
			what = ids(dumps)
		}
		const most = 10
		more := plain.Trusted("")
		if n := len(tables) - most; n > 0 {
			tables, more = tables[:most], " and "+number(n, "more table")
		}
		add("Only to be noted, with nothing to write: %s in %s%s.", what, tables, more)
	}
	if len(p.AcceptedNow) > 0 {
		add("Taken although a guard tripped: %s.", p.AcceptedNow)
	}
	if list := unjudgedChecks(p.Unjudged); len(list) > 0 {
		add("Judged nothing yet, as no dump was taken since: %s.", list)
	}
	return out
}

// movedText says behind a colon how many users are merged and parted, if any are.
func movedText(m *plan.Mapping) plain.Trusted {
	switch {
	case m.Merged > 0 && m.Parted > 0:
		return ": " + number(m.Merged, "user") + " merged, " + plain.Trusted(amount.Number(m.Parted)) + " parted"
	case m.Merged > 0:
		return ": " + number(m.Merged, "user") + " merged"
	case m.Parted > 0:
		return ": " + number(m.Parted, "user") + " parted"
	}
	return ""
}

// mappingText says what becomes of the user mapping; "" for nothing.
func mappingText[T ~string](m *plan.Mapping, word func(format string, args ...any) T) T {
	entries, moved := number(m.Entries, "entry"), movedText(m)
	switch {
	case m.To == nil && m.From != nil:
		return word("that of dump %d is withdrawn, and there is no other%s.", *m.From, moved)
	case m.To == nil:
		return ""
	case m.From == nil:
		return word("dump %d brings the first one, of %s%s.", *m.To, entries, moved)
	case *m.From == *m.To && m.Merged+m.Parted > 0:
		return word("that of dump %d has changed, and has %s now%s.", *m.To, entries, moved)
	case *m.From != *m.To:
		return word("that of dump %d, of %s, replaces that of dump %d%s.", *m.To, entries, *m.From, moved)
	}
	return ""
}

// actionText says what becomes of a table.
func actionText[T ~string](t *plan.Table, word func(format string, args ...any) T) T {
	switch t.Action {
	case plan.Create:
		return "create"
	case plan.Rebuild:
		return "rebuild from the source"
	case plan.Destroy:
		return word("destroy, with %s", number(t.RowsNow, "row"))
	case plan.Forget:
		return "forget; its files stay"
	}
	if t.Change.Class == plan.ClassRewrite {
		return "rewrite from the sink"
	}
	return "update"
}

// details are the lines below a table of a plan.
func details[T ~string](t *plan.Table, word func(format string, args ...any) T) []T {
	var out []T
	add := func(format string, args ...any) { out = append(out, word(format, args...)) }
	for _, r := range t.Change.Reasons {
		add("%s", r)
	}
	for _, line := range dumpLines(t) {
		add("%s", line)
	}
	if len(t.NewColumns) > 0 && t.Action != plan.Create {
		add("new columns: %s", t.NewColumns)
	}
	for method, columns := range newMasks(t) {
		add("masked (%s): %s", method, columns)
	}
	for _, line := range numbers(t) {
		add("%s", line)
	}
	for _, c := range t.Checks {
		switch {
		case len(c.Reads) > 0:
			add("judged by %s, which reads %s of the whole table", plan.CheckAddress(c.Check), c.Reads)
		case c.Users:
			add("judged by %s, which reads the ids of table.users", plan.CheckAddress(c.Check))
		}
	}
	if names := simpleChecks(t.Checks); len(names) > 0 {
		add("judged by %s", names)
	}
	for _, d := range t.Destroys {
		add("destroys %s", d)
	}
	removes := amount.Few(t.Removes)
	for i, f := range removes {
		if i == len(removes)-1 && len(removes) < len(t.Removes) {
			add("removes %s", plain.Trusted(amount.Of(len(t.Removes)-i, "more file"))+", which the state does not know")
			break
		}
		add("removes %s, which the state does not know", f)
	}
	if len(t.Lost) > 0 {
		add("%s: gone from the source, %s rows would be lost", ids(t.Lost), plain.Trusted(amount.Verb(len(t.Lost), "its", "their")))
	}
	if t.LostMapping != nil {
		add("the user mapping of dump %d: gone from the source", *t.LostMapping)
	}
	return out
}

// newMasks yields the columns that dumps bring and masks meet, by what becomes of them.
func newMasks(t *plan.Table) iter.Seq2[string, []string] {
	by := map[string][]string{}
	for _, m := range t.NewMasks {
		by[m.Method] = append(by[m.Method], m.Column)
	}
	return func(yield func(string, []string) bool) {
		for _, method := range slices.Sorted(maps.Keys(by)) {
			if !yield(method, by[method]) {
				return
			}
		}
	}
}

// numbers are the lines of which all is the program's own.
func numbers(t *plan.Table) []plain.Trusted {
	var out []plain.Trusted
	if t.Rekeyed > 0 {
		out = append(out, number(t.Rekeyed, "user")+" with another canonical id")
	}
	if line := costLine(t); line != "" {
		out = append(out, plain.Trusted(line))
	}
	if t.Scratch > 0 && t.Action != plan.Destroy && t.Action != plan.Forget {
		out = append(out, "~"+volume(t.Scratch)+" of scratch_dir meanwhile")
	}
	if t.Counts != nil {
		out = append(out, plain.Trusted("rows: "+countsText(t.Counts)))
	}
	return out
}

// dumpLines names the dumps to apply: full resyncs and what is read again one by
// one, what is void and the others together.
func dumpLines(t *plan.Table) (out []plain.Trusted) {
	add := func(format string, args ...any) { out = append(out, plain.Trusted(fmt.Sprintf(format, args...))) }
	var void, others []int64
	files, total := 0, int64(0)
	for _, d := range t.Dumps {
		switch {
		case d.Void:
			void = append(void, d.Dump)
		case d.Again:
			add("dump %d: read again, as a file of it has grown since, %s, %s to read", d.Dump, number(d.Files, "file"), volume(d.Bytes))
		case d.Resync:
			voids := ""
			if t.RowsNow > 0 {
				voids = "; voids what is there, " + amount.Of(t.RowsNow, "row")
			}
			add("dump %d: full resync%s%s", d.Dump, toRead(", ", d.Files, d.Bytes), voids)
		default:
			others = append(others, d.Dump)
			files += d.Files
			total += d.Bytes
		}
	}
	if len(void) > 0 {
		add("%s: void, not read", ids(void))
	}
	if len(others) > 0 {
		add("%s%s", ids(others), toRead(": ", files, total))
	}
	return out
}

// toRead says behind a sign how much there is to read, if anything is.
func toRead(sign string, files int, size int64) plain.Trusted {
	if files == 0 {
		return ""
	}
	return plain.Trusted(sign) + number(files, "file") + ", " + volume(size) + " to read"
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
	var parts []string
	if t.PartitionsNow > 0 {
		parts = append(parts, fmt.Sprintf("%s%s to rewrite (there are %s)", about, amount.Of(t.Partitions, "partition"), amount.Number(t.PartitionsNow)))
	} else if t.Partitions > 0 {
		parts = append(parts, about+amount.Of(t.Partitions, "partition"))
	}
	if t.BytesToWrite > 0 {
		parts = append(parts, about+size(t.BytesToWrite)+" to write")
	}
	return strings.Join(parts, ", ")
}

// onlyNoted names the dumps of which an apply only notes that tables have them, and the
// tables.
func onlyNoted(p *plan.Plan) (dumps []int64, tables []string) {
	for _, t := range p.Tables {
		if !t.OnlyNotes() {
			continue
		}
		tables = append(tables, t.Name)
		for _, d := range t.Dumps {
			if !slices.Contains(dumps, d.Dump) {
				dumps = append(dumps, d.Dump)
			}
		}
	}
	return dumps, tables
}

// countsText says what happens to rows, leaving out what does not.
func countsText(c *plan.Counts) string {
	var parts []string
	for _, x := range tally(c) {
		if x.n != 0 {
			parts = append(parts, amount.Number(x.n)+" "+x.what)
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
