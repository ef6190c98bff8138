package main

import (
	"fmt"
	"strings"

	"reconcile/engine/inspect"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
)

func (v *textView) shown(s *inspect.State) {
	if s.Lineage == "" {
		v.printf("Nothing was ever applied: there is no state at %s.\n", s.State)
		return
	}
	v.printf("State %s, lineage %s, commit %d, written by reconcile %s\n", s.State, s.Lineage, s.Serial, s.Program)
	if s.Mapping != nil {
		v.printf("User mapping of dump %d, %s\n", s.Mapping.Dump, amount.Of(s.Mapping.Entries, "entry"))
	}
	for i := range s.Tables {
		v.shownTable(&s.Tables[i], s.Mapping, true)
	}
	v.heldSince(s.Holds)
	for _, t := range s.Unfinished {
		v.printf("\ntable.%s: its last commit is not wholly visible yet; the next apply finishes it.\n", t)
	}
}

// shownOne shows a table with its key, columns and files.
func (v *textView) shownOne(d *inspect.Detail) {
	t := &d.Table
	v.shownTable(t, nil, false)
	key := t.Key
	if key == "" {
		key = feed.UserID
	}
	v.printf("\n  kind %s, key %s, commit %d of lineage %s\n", t.Kind, key, t.Commit, d.Lineage)
	if len(t.Columns) > 0 {
		v.printf("\n  Columns:\n")
	}
	for i, c := range t.Columns {
		since := ""
		if c.Since > 0 {
			since = fmt.Sprintf(", since dump %d", c.Since)
		}
		v.printf("    %s%s\n", columnsText(t.Columns[i:i+1]), since)
	}
	if len(d.Files) > 0 {
		v.printf("\n  Files:\n")
	}
	for _, f := range d.Files {
		v.printf("    %s/%s  %s, %s\n", f.Root, f.Path, amount.Of(f.Rows, "row"), size(f.Bytes))
	}
	v.heldSince(d.Holds)
	if d.Unfinished {
		v.printf("\nIts last commit is not wholly visible yet; the next apply finishes it.\n")
	}
}

// shownTable shows a table, its columns in one line if they are wanted.
func (v *textView) shownTable(t *inspect.Table, newest *inspect.Mapping, columns bool) {
	v.printf("\n%s\n", v.style.bold("table."+t.Name))
	line := func(name, format string, args ...any) { v.printf("  %-11s %s\n", name, fmt.Sprintf(format, args...)) }
	extra := ""
	if t.Hidden > 0 {
		extra += fmt.Sprintf(", %s more hidden behind others of their key", amount.Number(t.Hidden))
	}
	if t.Quarantined > 0 {
		extra += fmt.Sprintf(", %s in the quarantine", amount.Number(t.Quarantined))
	}
	line("rows", "%s%s", amount.Number(t.Rows), extra)
	if !t.Committed.IsZero() {
		line("changed", "%s, by commit %d", clock(t.Committed), t.Commit)
	}
	if len(t.Dumps) > 0 {
		line("dumps", "%s", strings.TrimPrefix(strings.TrimPrefix(plan.DumpNames(t.Dumps), "dumps "), "dump "))
	}
	if len(t.Skipped) > 0 {
		line("skipped", "%s", plan.DumpNames(t.Skipped))
	}
	if len(t.Lost) > 0 {
		line("lost", "%s, which the source no longer had when the table was rebuilt", plan.DumpNames(t.Lost))
	}
	if t.Mapping != nil {
		behind := ""
		if newest != nil && newest.Dump != *t.Mapping {
			behind = fmt.Sprintf(", behind dump %d", newest.Dump)
		}
		line("mapping", "of dump %d%s", *t.Mapping, behind)
	}
	if t.PartitionBy != "" {
		line("partitions", "%s by %s", amount.Number(t.Partitions), t.PartitionBy)
	}
	if columns && t.Name == feed.TableMapping {
		line("columns", "%s", "time timestamp, canonical_user_id int64 beside the keys")
	} else if columns {
		line("columns", "%s", columnsText(t.Columns))
	}
	for _, s := range t.Sinks {
		line("files", "%s, %s in %s/%s", amount.Number(s.Files), size(s.Bytes), s.Root, s.Folder)
	}
}

func columnsText(cols []inspect.Column) string {
	if len(cols) == 0 {
		return "none beside the keys"
	}
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.Name + " " + c.Type
		if c.Mask != "" {
			parts[i] += " (masked: " + c.Mask + ")"
		}
		if len(c.Spellings) > 0 {
			parts[i] += fmt.Sprintf(" (delivered as %s)", strings.Join(append([]string{c.Delivered}, c.Spellings...), ", "))
		}
	}
	return strings.Join(parts, ", ")
}
