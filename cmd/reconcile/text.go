package main

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/amount"
)

// textView is for people: what a command finds goes to standard output, what
// went wrong and progress to standard error.
type textView struct {
	out             *output
	err             io.Writer
	style, errStyle style
	compact         bool        // warnings by their summaries alone
	level           slog.Level  // what is below it is left out of standard error
	told            []plan.Hold // that were listed
}

func (v *textView) printf(format string, args ...any) { say(v.out, format, args...) }

// errors returns standard error, after what was said before.
func (v *textView) errors() io.Writer {
	_ = v.out.flush() // the writer keeps the error for the end of the program
	return v.err
}

func (v *textView) diagnostics(src config.Sources, diags hcl.Diagnostics) {
	if v.level > slog.LevelWarn {
		diags = slices.DeleteFunc(slices.Clone(diags), func(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagWarning })
	}
	if v.compact && !diags.HasErrors() {
		v.compactWarnings(diags)
		return
	}
	if err := src.Write(v.errors(), diags, v.out.width, bool(v.errStyle)); err != nil {
		say(v.err, "%v\n", diags)
	}
}

// compactWarnings lists the summaries of warnings, each once, with where the first of
// them is.
func (v *textView) compactWarnings(diags hcl.Diagnostics) {
	byText := map[string]hcl.Diagnostics{}
	var order []string
	for _, d := range diags {
		if byText[d.Summary] == nil {
			order = append(order, d.Summary)
		}
		byText[d.Summary] = append(byText[d.Summary], d)
	}
	w := v.errors()
	say(w, "%s\n\n", v.errStyle.yellow("Warnings:"))
	for _, text := range order {
		say(w, "- %s\n", text)
		list := byText[text]
		if at := list[0].Subject; at != nil {
			say(w, "  on %s line %d\n", at.Filename, at.Start.Line)
		}
		if n := len(list) - 1; n > 0 {
			say(w, "  and %s more like it\n", amount.Number(n))
		}
	}
	say(w, "\nWithout -compact-warnings they are shown in full.\n")
}

func (v *textView) failure(err error, code int) {
	if code == exitInterrupted && err == errInterrupted {
		text := err.Error()
		say(v.errors(), "%s\n", v.errStyle.yellow(strings.ToUpper(text[:1])+text[1:]+"."))
		return
	}
	w := v.errors()
	var head, rest string
	var items []string
	if many, ok := err.(listError); ok {
		head, items, rest = many.list()
	}
	if len(items) < 2 {
		say(w, "%s %v\n", v.errStyle.red("Error:"), err)
		return
	}
	say(w, "%s %s\n", v.errStyle.red("Error:"), head)
	for _, item := range items {
		say(w, "  %s\n", item)
	}
	say(w, "%s\n", rest)
}

func (v *textView) record(_ string, _ any, format string, args ...any) { v.printf(format, args...) }

func (v *textView) progress(int64) progress {
	if v.level > slog.LevelInfo {
		return noProgress{}
	}
	if w := v.errors(); isTerminal(w) {
		return newBar(w)
	}
	return newLines(v.err)
}

// holds lists what waits. What was listed before, as by the plan of an apply, is only
// named.
func (v *textView) holds(holds []plan.Hold) {
	var fresh []plan.Hold
	var again []string
	for _, h := range holds {
		if slices.ContainsFunc(v.told, func(t plan.Hold) bool { return whereHeld(&t) == whereHeld(&h) && t.Reason == h.Reason }) {
			again = append(again, whereHeld(&h))
		} else {
			fresh = append(fresh, h)
		}
	}
	v.told = append(v.told, fresh...)
	if len(fresh) > 0 {
		v.printf("\n%s\n\n", v.style.paint("1;33", "Held, while the rest goes on:"))
	}
	for i, h := range fresh {
		v.printf("  %s\n", whereHeld(&h))
		if i+1 == len(fresh) || fresh[i+1].Reason != h.Reason { // of many for one reason, as a sink, once
			v.printf("      %s\n", h.Reason)
		}
	}
	v.wayPast(fresh)
	if len(again) > 0 {
		v.printf("\n%s\n\n", v.style.paint("1;33", "Held, as the plan says:"))
	}
	for _, where := range amount.Few(again) {
		v.printf("  %s\n", where)
	}
}

// whereHeld names what a hold is about.
func whereHeld(h *plan.Hold) string {
	var where []string
	if h.Table != "" {
		where = append(where, "table."+h.Table)
	}
	if h.Sink != "" {
		where = append(where, "sink "+h.Sink)
	}
	if h.Dump != 0 || h.Table == "" && h.File == "" && h.Sink == "" {
		where = append(where, fmt.Sprintf("dump %d", h.Dump))
	}
	if h.File != "" {
		where = append(where, h.File)
	}
	return strings.Join(where, ", ")
}

// wayPast shows the blocks that leave deliveries out.
func (v *textView) wayPast(holds []plan.Hold) {
	blocks := planner.SkipBlocks(holds)
	if len(blocks) == 0 {
		return
	}
	when := "If what is held is not to be taken at all"
	if !slices.ContainsFunc(holds, func(h plan.Hold) bool { return len(h.SkipTables) > 0 && h.File == "" }) {
		when = "If a file will never be mended"
	}
	const most = 3
	v.printf("\n%s, a block in the source goes past it, as if the dump did not list the tables:\n", when)
	for i, b := range blocks {
		if i == most {
			v.printf("\n  and so on for %s\n", amount.Of(len(blocks)-most, "more dump"))
			break
		}
		v.printf("\n")
		for line := range strings.Lines(b) {
			v.printf("  %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
}
