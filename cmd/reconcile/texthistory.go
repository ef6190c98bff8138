package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/plain"
	"reconcile/state"
)

func (v *textView) history(h *inspect.History) {
	if len(h.Commits) == 0 {
		v.printf("No commits are known.\n")
	} else {
		w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
		writeCells(w, "commit", "time", "table", "what", "dumps", "mapping", "rows", "changes")
		for i := range h.Commits {
			c := &h.Commits[i]
			mapping := "-"
			if c.Mapping != nil {
				mapping = fmt.Sprint(*c.Mapping)
			}
			writeCells(w, fmt.Sprint(c.Serial), orDash(c.At, clock), c.Table, c.Kind.String(), commitDumps(&c.Commit), mapping, amount.Number(c.Rows), commitCounts(&c.Commit))
		}
		_ = w.Flush() // the writer below keeps the error for the end of the program
	}
	switch {
	case h.Left > 0:
		v.printf("\n%s before these: -last=0 shows all.\n", amount.Of(h.Left, "commit"))
	case len(h.Older) > 0:
		v.printf("\nWhat was committed before that is not known of %s.\n", tableList(h.Older))
	}
}

// writeCells writes a line of a table, without empty cells at its end.
func writeCells(w *tabwriter.Writer, cells ...string) {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	for i := range cells {
		cells[i] = plain.Text(cells[i])
	}
	say(w, "%s\n", plain.Trusted(strings.Join(cells, "\t")))
}

// orDash writes a time, if it is known.
func orDash(t time.Time, write func(time.Time) string) string {
	if t.IsZero() {
		return "-"
	}
	return write(t)
}

// commitDumps names the dumps that a commit took.
func commitDumps(c *state.Commit) string {
	switch {
	case len(c.Dumps) == 0:
		return "-"
	case c.Count > 0:
		return fmt.Sprintf("%d ... %d (%s)", c.Dumps[0], c.Dumps[len(c.Dumps)-1], amount.Number(c.Count))
	}
	return strings.TrimPrefix(strings.TrimPrefix(plan.DumpNames(c.Dumps), "dumps "), "dump ")
}

// commitCounts says what became of rows, without what is zero.
func commitCounts(c *state.Commit) string {
	var parts []string
	for _, x := range []struct {
		n    int64
		what string
	}{{c.Added, "added"}, {c.Replaced, "replaced"}, {c.Rekeyed, "re-keyed"}, {c.Collapsed, "collapsed"}, {c.Revived, "revived"}, {c.Removed, "removed"},
		{c.Quarantined, "quarantined"}, {c.Rescued, "rescued"}} {
		if x.n > 0 {
			parts = append(parts, amount.Number(x.n)+" "+x.what)
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

func (v *textView) schemaHistory(list []inspect.ColumnChange) {
	if len(list) == 0 {
		v.printf("No columns are known beside the keys.\n")
		return
	}
	for len(list) > 0 {
		n := len(list)
		if i := slices.IndexFunc(list, func(c inspect.ColumnChange) bool { return c.Table != list[0].Table }); i > 0 {
			n = i
		}
		v.printf("\n%s\n", v.style.bold("table."+list[0].Table))
		w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
		for i := range list[:n] {
			writeCells(w, "  "+sinceDump(&list[i]), columnText(&list[i]), committedText(&list[i]))
		}
		_ = w.Flush() // the writer below keeps the error for the end of the program
		list = list[n:]
	}
}

// sinceDump says since which dump a change is there.
func sinceDump(c *inspect.ColumnChange) string {
	switch {
	case c.Dump == 0:
		return "-"
	case c.Arrived.IsZero():
		return fmt.Sprintf("dump %d", c.Dump)
	}
	return fmt.Sprintf("dump %d of %s", c.Dump, clock(c.Arrived))
}

// columnText says what became of a column.
func columnText(c *inspect.ColumnChange) string {
	from, to := c.From, c.To
	switch c.Event {
	case state.ColumnCame:
		return fmt.Sprintf("+ %s %s", c.Column, to)
	case state.ColumnWent:
		return fmt.Sprintf("- %s %s", c.Column, from)
	case state.ColumnRetyped:
		return fmt.Sprintf("~ %s %s, was %s", c.Column, to, from)
	case state.ColumnMasked:
		if to == "" {
			return fmt.Sprintf("~ %s not masked any more, was %s", c.Column, from)
		}
		if from == "" {
			return fmt.Sprintf("~ %s masked: %s", c.Column, to)
		}
		return fmt.Sprintf("~ %s masked: %s, was %s", c.Column, to, from)
	}
	return fmt.Sprintf("? %s", c.Column)
}

func committedText(c *inspect.ColumnChange) string {
	if c.Commit == 0 {
		return ""
	}
	return fmt.Sprintf("commit %d, %s", c.Commit, orDash(c.At, clock))
}
