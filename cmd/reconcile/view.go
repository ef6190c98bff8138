package main

import (
	"github.com/hashicorp/hcl/v2"
	"slices"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/health"
	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/engine/rescued"
	"reconcile/engine/verify"
	"reconcile/internal/shell"
)

// view shows what commands find and do: textView to people, jsonView to
// programs. It never changes what it is given.
type view interface {
	// diagnostics shows mistakes and warnings of the configuration.
	diagnostics(src config.Sources, diags hcl.Diagnostics)
	// failure shows an error of a command that ends with an exit code.
	failure(err error, code int)
	// record shows one fact: to people as a format with its arguments, which are
	// escaped, "" for nothing; to programs as a value that encodes as a JSON object.
	record(typ string, v any, format string, args ...any)
	// plan shows a plan; the counting line comes last.
	plan(p *plan.Plan)
	// progress shows how far an apply is. toRead is how many bytes of part files it reads.
	progress(toRead int64) progress
	// result shows what an apply did. err is what ended it early, if anything.
	result(r *engine.Result, err error)
	// shown shows what is applied.
	shown(s *inspect.State)
	// shownOne shows all that the state has of one table.
	shownOne(d *inspect.Detail)
	// rescued shows what tables could not take as it was delivered.
	rescued(list []rescued.Table)
	// status shows how syncs and applies are doing.
	status(h *health.Health)
	// verified shows what was compared with the source.
	verified(r *verify.Report)
	// history shows what commits did.
	history(h *inspect.History)
	// schemaHistory shows what became of columns.
	schemaHistory(list []inspect.ColumnChange)
}

// needs lists the flags without which a step is refused.
func needs(t *plan.Table) []string {
	var out []string
	if t.Action == plan.None {
		return nil
	}
	if len(t.Destroys) > 0 {
		out = append(out, "-allow-destroy")
	}
	if len(t.Lost) > 0 || t.LostMapping != nil {
		out = append(out, "-accept-loss="+t.Name)
	}
	return out
}

// shellWords writes flags as a shell takes them.
func shellWords(flags []string) []string {
	out := make([]string, len(flags))
	for i, f := range flags {
		out[i] = shell.Word(f)
	}
	return out
}

// heldByGuards counts the holds of guards.
func heldByGuards(holds []plan.Hold) (n int) {
	for _, h := range holds {
		if h.Guard != "" {
			n++
		}
	}
	return n
}

// split divides the steps of a plan: destructive ones, other ones, and tables
// that -target leaves behind.
func split(p *plan.Plan) (destructive, steps, behind []*plan.Table) {
	for _, t := range p.Tables {
		switch {
		case t.Behind:
			behind = append(behind, t)
		case t.Action == plan.None:
		case t.Destructive():
			destructive = append(destructive, t)
		default:
			steps = append(steps, t)
		}
	}
	return destructive, steps, behind
}

// writing leaves out the steps that people read of in one line, as they write nothing.
func writing(steps []*plan.Table) []*plan.Table {
	return slices.DeleteFunc(slices.Clone(steps), (*plan.Table).OnlyNotes)
}
