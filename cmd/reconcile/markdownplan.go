package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"reconcile/cmd/reconcile/internal/markdown"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

// bytesOfComment is how long Markdown is at most unless the command says otherwise: hosts
// take comments of 65,536 characters.
const bytesOfComment = 65_000

// markdownOptions are what Markdown of a plan says beside the plan.
type markdownOptions struct {
	file   string // where the whole plan is
	commit string // that it was made for
}

// markdownPlan is a plan as a comment of a pull request: what replaces or removes data
// first, then what is held, then the rest.
func markdownPlan(p *plan.Plan, o markdownOptions) *markdown.Document {
	return &markdown.Document{
		Marker:   planMarker(p),
		Title:    markdown.Sprintf("%s", plain.Trusted(countingLine(p))),
		Head:     []markdown.Text{aboutPlan(p, o.commit), digestParagraph(p), mappingParagraph(&p.Mapping)},
		Sections: sectionsOf(p),
		Cut:      markdown.Sprintf("Not all of the plan fits here. All of it: %s", "reconcile show "+filepath.Base(o.file)),
	}
}

// sectionsOf are the tables of a comment.
func sectionsOf(p *plan.Plan) []markdown.Section {
	if p.ConfigOnly && p.Tables == nil {
		destructive, others := splitConfig(p.Config)
		return []markdown.Section{
			entriesSection("**What the configuration destroys or has rebuilt**", destructive),
			notesSection("**For the apply as a whole**", facts(p, markdown.Sprintf)),
			entriesSection("**What the configuration changes**", others),
			notCheckedSection(p.NotChecked),
		}
	}
	destructive, steps, behind := split(p)
	return []markdown.Section{
		stepsSection("**Destructive steps, which replace or remove what is there**", destructive),
		holdsSection(p.Holds),
		notesSection("**For the apply as a whole**", facts(p, markdown.Sprintf)),
		stepsSection("**Steps**", writing(steps)),
		forgottenSection(p.Forgotten),
		notCheckedSection(p.NotChecked),
		notesSection("**Besides**", notesOf(p, behind)),
	}
}

// planMarker tells the comments of several environments apart, and is the same for each
// plan of one: of a state that no apply has made yet, the lineage is another in every plan.
// A plan of the configuration alone has a comment of its own.
func planMarker(p *plan.Plan) string {
	lineage := p.Lineage
	if p.Serial == 0 {
		lineage = "new"
	}
	values := []string{"folder=" + cmp.Or(p.Folder, "."), "lineage=" + lineage}
	if p.ConfigOnly {
		values = append(values, "config-only")
	}
	return markdown.Hidden("reconcile plan", values...)
}

// aboutPlan says what the plan is of.
func aboutPlan(p *plan.Plan, commit string) markdown.Text {
	text := markdown.Sprintf("Folder %s", cmp.Or(p.Folder, "."))
	if commit != "" {
		text += markdown.Sprintf(", commit %s", commit)
	}
	if p.Serial == 0 {
		return text + ". There is no state yet."
	}
	return text + markdown.Sprintf(". The state has lineage %s and is at serial %d.", p.Lineage, p.Serial)
}

func digestParagraph(p *plan.Plan) markdown.Text {
	if d := digestOfChanges(p); d != "" {
		return markdown.Sprintf("Digest of what the configuration changes, for %s: %s", "apply -expect", d)
	}
	return ""
}

func mappingParagraph(m *plan.Mapping) markdown.Text {
	if text := mappingText(m, markdown.Sprintf); text != "" {
		return "**User mapping:** " + text
	}
	return ""
}

// stepsSection lists what becomes of tables.
func stepsSection(title markdown.Text, tables []*plan.Table) markdown.Section {
	s := markdown.Section{Title: title, Columns: []markdown.Text{"", "Table", "Step", "Details"}}
	for _, t := range tables {
		what := actionText(t, markdown.Sprintf)
		if n := shellWords(needs(t)); len(n) > 0 {
			what += markdown.Sprintf(", needs %s", n)
		}
		s.Rows = append(s.Rows, []markdown.Text{markdown.Code(string(t.Action)), markdown.Code(t.Name), what, joined(details(t, markdown.Sprintf))})
	}
	s.Rest = func(from int) markdown.Text {
		byAction := map[plan.Action]int{}
		for _, t := range tables[from:] {
			byAction[t.Action]++
		}
		var parts []string
		for _, a := range []struct {
			action plan.Action
			what   string
		}{{plan.Destroy, "to destroy"}, {plan.Rebuild, "to rebuild"}, {plan.Update, "to update"}, {plan.Create, "to create"}, {plan.Forget, "to forget"}} {
			if n := byAction[a.action]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", amount.Number(n), a.what))
			}
		}
		return markdown.Sprintf("%s not shown: %s.", number(len(tables)-from, "table"), plain.Trusted(strings.Join(parts, ", ")))
	}
	return s
}

// mostDetails is how many details of a table are shown.
const mostDetails = 12

// joined is lines as the text of a cell, the first of many.
func joined(lines []markdown.Text) markdown.Text {
	var b strings.Builder
	for i, line := range lines {
		if i == mostDetails {
			b.WriteString(string(markdown.Sprintf("; and %s more", plain.Trusted(amount.Number(len(lines)-i)))))
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(string(line))
	}
	return markdown.Text(b.String())
}

// holdsSection lists what waits.
func holdsSection(holds []plan.Hold) markdown.Section {
	s := markdown.Section{Title: "**Held, while the rest goes on**", Columns: []markdown.Text{"What", "Why", "Way past"}}
	for _, h := range holds {
		var ways []markdown.Text
		if h.Accept != "" {
			ways = append(ways, markdown.Code(planner.AcceptFlag(h.Accept)))
		}
		if h.Skip != "" {
			ways = append(ways, markdown.Sprintf("%s in the source", "skip_dump"))
		}
		s.Rows = append(s.Rows, []markdown.Text{markdown.Code(whereHeld(&h)), markdown.Code(h.Reason), joined(ways)})
	}
	s.Rest = func(from int) markdown.Text {
		text := markdown.Sprintf("%s more held", plain.Trusted(amount.Number(len(holds)-from)))
		if n := heldByGuards(holds[from:]); n > 0 {
			text += markdown.Sprintf(", %s by a guard", plain.Trusted(amount.Number(n)))
		}
		return text + "."
	}
	return s
}

// forgottenSection lists the sinks that the state forgets.
func forgottenSection(list []plan.ForgottenSink) markdown.Section {
	s := markdown.Section{Title: "**Sinks to forget, which are not looked at and keep what they have**", Columns: []markdown.Text{"Sink", "Files", "Tables"}}
	for _, f := range list {
		s.Rows = append(s.Rows, []markdown.Text{markdown.Code(f.Root), markdown.Sprintf("%s", plain.Trusted(amount.Number(f.Files))), markdown.List(f.Tables)})
	}
	s.Rest = restOf(len(list), "sink")
	return s
}

// splitConfig divides what the configuration changes: what replaces or removes data, and
// the rest.
func splitConfig(list []plan.ConfigEntry) (destructive, others []plan.ConfigEntry) {
	for _, e := range list {
		if e.Action == plan.Destroy || e.Action == plan.Rebuild || len(e.Destroys) > 0 {
			destructive = append(destructive, e)
		} else {
			others = append(others, e)
		}
	}
	return destructive, others
}

// entriesSection lists what the configuration changes.
func entriesSection(title markdown.Text, list []plan.ConfigEntry) markdown.Section {
	s := markdown.Section{Title: title, Columns: []markdown.Text{"", "Table", "Step", "Details"}}
	for _, e := range list {
		what := markdown.Sprintf("%s", plain.Trusted(configAction(&e)))
		if len(e.Flags) > 0 {
			what += markdown.Sprintf(", needs %s", shellWords(e.Flags))
		}
		var lines []markdown.Text
		for _, d := range e.Destroys {
			lines = append(lines, markdown.Sprintf("destroys %s", d))
		}
		for _, set := range e.Settings {
			lines = append(lines, markdown.Code(set.String()))
		}
		s.Rows = append(s.Rows, []markdown.Text{markdown.Code(string(e.Action)), markdown.Code(e.Table), what, joined(lines)})
	}
	s.Rest = restOf(len(list), "table")
	return s
}

// notCheckedSection lists what a plan could not find out.
func notCheckedSection(list []plan.Unchecked) markdown.Section {
	s := markdown.Section{Title: "**Not checked**", Columns: []markdown.Text{"Table", "What", "Why"}}
	for _, u := range list {
		s.Rows = append(s.Rows, []markdown.Text{markdown.Code(u.Table), markdown.Code(u.What), markdown.Code(u.Why)})
	}
	s.Rest = restOf(len(list), "thing")
	return s
}

// notesSection lists what there is to say, each thing in a row.
func notesSection(title markdown.Text, notes []markdown.Text) markdown.Section {
	s := markdown.Section{Title: title, Columns: []markdown.Text{"Note"}}
	for _, n := range notes {
		s.Rows = append(s.Rows, []markdown.Text{n})
	}
	s.Rest = restOf(len(notes), "note")
	return s
}

// notesOf is what there is to say at last.
func notesOf(p *plan.Plan, behind []*plan.Table) (out []markdown.Text) {
	add := func(format string, args ...any) { out = append(out, markdown.Sprintf(format, args...)) }
	if len(p.Unclaimed) > 0 {
		add("Delivered, but no table block takes it: %s.", p.Unclaimed)
	}
	if len(behind) > 0 {
		var names []string
		for _, t := range behind {
			names = append(names, t.Name)
		}
		add("Left behind, as -target does not name it: %s.", names)
	}
	for _, n := range p.Mapping.Notes {
		add("User mapping: %s", n)
	}
	for _, n := range p.Notices {
		add("%s", n)
	}
	return out
}

// restOf counts what is left out of a list.
func restOf(all int, one string) func(from int) markdown.Text {
	return func(from int) markdown.Text { return markdown.Sprintf("%s not shown.", number(all-from, one)) }
}

// folderOfPlan is the folder of the configuration as plans name it.
func folderOfPlan(chdir string) string { return filepath.ToSlash(filepath.Clean(cmp.Or(chdir, "."))) }
