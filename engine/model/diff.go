package model

import (
	"fmt"
	"slices"
	"strings"
)

// maxDiffs bounds what Diff reports.
const maxDiffs = 20

// Diff compares what a sink holds with what is correct: no lines mean that they
// are equal. Rows are by key as in Table; names are compared without case, and
// a column of a row that is missing counts as null.
func (t *Table) Diff(got map[string]Row) []string {
	var out []string
	keys := append(sortedKeys(t.Rows), sortedKeys(got)...)
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		w, expected := t.Rows[key]
		g, there := got[key]
		switch {
		case !there:
			out = append(out, fmt.Sprintf("row %s is missing", key))
		case !expected:
			out = append(out, fmt.Sprintf("row %s is there and should not be", key))
		default:
			out = append(out, diffRow(key, w, g)...)
		}
		if len(out) > maxDiffs {
			return append(out[:maxDiffs], "and more")
		}
	}
	return out
}

func diffRow(key string, want, got Row) []string {
	var out []string
	if want.Partition != got.Partition {
		out = append(out, fmt.Sprintf("row %s is in %q instead of %q", key, got.Partition, want.Partition))
	}
	have := map[string]*string{}
	for name, v := range got.Values {
		have[fold(name)] = v
	}
	names := append(sortedKeys(want.Values), sortedKeys(have)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if w, g := show(want.Values[name]), show(have[name]); w != g {
			out = append(out, fmt.Sprintf("row %s: %s is %s instead of %s", key, name, g, w))
		}
	}
	return out
}

func show(v *string) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *v)
}

// DiffColumns compares the names of a sink's columns with those of the table,
// without case or order.
func (t *Table) DiffColumns(got []string) []string {
	var out []string
	for _, name := range t.Columns {
		if !containsFold(got, name) {
			out = append(out, "column "+name+" is missing")
		}
	}
	for _, name := range got {
		if !containsFold(t.Columns, name) && !containsFold(t.Optional, name) {
			out = append(out, "column "+name+" is there and should not be")
		}
	}
	return out
}

// String shows the table in a failing test's log.
func (t *Table) String() string {
	var b strings.Builder
	for _, key := range sortedKeys(t.Rows) {
		fmt.Fprintf(&b, "%s %s", key, t.Rows[key].Partition)
		for _, c := range t.Columns {
			fmt.Fprintf(&b, " %s=%s", c, show(t.Rows[key].Values[c]))
		}
		b.WriteByte('\n')
	}
	for _, q := range t.Quarantine {
		fmt.Fprintf(&b, "quarantined: %+v\n", q)
	}
	return b.String()
}
