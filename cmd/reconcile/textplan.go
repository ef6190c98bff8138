package main

import (
	"fmt"
	"strings"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/plain"
)

func (v *textView) plan(p *plan.Plan) {
	for _, n := range p.Notices {
		v.printf("%s %s\n", v.style.yellow("Note:"), n)
	}
	for _, line := range facts(p, sentence) {
		v.printf("\n%s\n", line)
	}
	if p.ConfigOnly && p.Tables == nil {
		v.configPlan(p)
		return
	}
	destructive, steps, behind := split(p)
	v.steps(v.style.paint("1;31", "Destructive steps, which replace or remove what is there:"), destructive)
	v.forgotten(p.Forgotten)
	v.mapping(&p.Mapping)
	v.steps(v.style.bold("Steps:"), writing(steps))
	v.drift(p)
	v.holds(p.Holds)
	for _, t := range behind {
		v.printf("\ntable.%s is left behind: -target does not name it.\n", t.Name)
	}
	if len(p.Unclaimed) > 0 {
		v.printf("\nDelivered, but no table block takes it: %s.\nAdd a block, or say ignore %q {}.\n",
			strings.Join(p.Unclaimed, ", "), p.Unclaimed[0])
	}
	v.notChecked(p.NotChecked)
	v.configDigest(p)
	v.printf("\n%s\n", v.style.bold(countingLine(p)))
}

// drift lists what others did to the sinks, where only these were compared.
func (v *textView) drift(p *plan.Plan) {
	drifted := p.Drifted()
	if !p.RefreshOnly || len(drifted) == 0 {
		return
	}
	v.printf("\n%s\n\n", v.style.bold("The sinks no longer hold what was written:"))
	const most = 10
	for _, t := range drifted[:min(most, len(drifted))] {
		v.printf("%s table.%s\n", v.style.yellow("  ~"), t.Name)
		for _, what := range amount.Few(t.Drift) {
			v.printf("        %s\n", what)
		}
	}
	if n := len(drifted) - most; n > 0 {
		v.printf("    and %s\n", amount.Of(n, "more table"))
	}
}

// forgotten lists the sinks that the state forgets.
func (v *textView) forgotten(list []plan.ForgottenSink) {
	if len(list) == 0 {
		return
	}
	v.printf("\n%s\n\n", v.style.bold("Sinks to forget, which are not looked at and keep what they have:"))
	for _, f := range list {
		v.printf("%s %s: %s of %s\n", v.style.yellow("  ."), f.Root, amount.Of(f.Files, "file"), strings.Join(f.Tables, ", "))
	}
}

// mapping says what becomes of the user mapping.
func (v *textView) mapping(m *plan.Mapping) {
	if text := mappingText(m, sentence); text != "" {
		v.printf("\n%s %s\n", v.style.bold("User mapping:"), text)
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
		v.printf("%s table.%s: %s\n", v.colour(t.Action, symbol), t.Name, actionText(t, sentence))
		for _, line := range details(t, sentence) {
			v.printf("        %s\n", line)
		}
		if n := shellWords(needs(t)); len(n) > 0 {
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
