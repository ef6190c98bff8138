package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/engine/verify"
	"reconcile/internal/amount"
)

func (v *textView) verified(r *verify.Report) {
	for _, t := range r.Tables {
		v.verifiedTable(t)
	}
	line := newVerifyLine(r)
	what := fmt.Sprintf("Verified %s, %s", amount.Of(line.Tables, "table"), amount.Of(line.Rows, "row"))
	if line.Sample != "" {
		what += " of the users of part " + line.Sample
	}
	switch {
	case !line.Same:
		what += fmt.Sprintf(": %s, %s", amount.Of(line.Differences, "row")+" not as it should be", amount.Of(line.Files, "data file")+" not as written")
	case line.Unverified > 0:
		what += fmt.Sprintf(": no difference, but %s could not be looked at", amount.Of(line.Unverified, "table"))
	default:
		what += ": all as it should be"
	}
	if line.Unchecked > 0 {
		what += fmt.Sprintf("; %s not checked", amount.Of(line.Unchecked, "row"))
	}
	colour := "1;32"
	if !line.Same || line.Unverified > 0 {
		colour = "1;31"
	}
	v.printf("\n%s\n", v.style.paint(colour, what+"."))
}

// verifiedTable shows what was found of a table; nothing if it is as it should be.
func (v *textView) verifiedTable(t *verify.Table) {
	name := "table." + t.Name
	if t.Unverified != "" {
		v.printf("\n%s: not verified: %s\n", name, t.Unverified)
		return
	}
	for i, g := range t.Gone {
		const most = 5
		if i == most {
			v.printf("\n%s: and %s more that the source lacks\n", name, amount.Number(len(t.Gone)-most))
			break
		}
		where := fmt.Sprintf("dump %d", g.Dump)
		if g.File != "" {
			where += ", " + g.File
		}
		v.printf("\n%s: rows of %s are not checked: %s\n", name, where, g.Reason)
	}
	if t.MappingGone != "" {
		v.printf("\n%s: the user mapping of dump %d is not checked, and taken from the state: %s\n", name, *t.Mapping, t.MappingGone)
	}
	for _, c := range slices.Sorted(maps.Keys(t.Uncompared)) {
		v.printf("\n%s: column %s is not compared: %s\n", name, c, t.Uncompared[c])
	}
	for _, s := range t.Sinks {
		if len(s.Faults) > 0 {
			v.printf("\n%s in %s: data files that are not as they were written:\n", name, s.Root)
			for _, f := range s.Faults {
				v.printf("  %s: %s\n", f.Path, f.What)
			}
		}
		if s.Differences > 0 {
			v.printf("\n%s in %s: %s of %s not as it should be:\n", name, s.Root, amount.Number(s.Differences), amount.Of(t.Rows, "row"))
			for _, d := range s.Keys {
				v.printf("  %s\n", differenceText(&d))
			}
			if more := s.Differences - int64(len(s.Keys)); more > 0 {
				v.printf("  and %s more\n", amount.Number(more))
			}
		}
	}
}

// differenceText says how a row differs.
func differenceText(d *verify.Difference) string {
	text := d.Kind + ": "
	if d.Key != nil {
		text += fmt.Sprintf("key %d, ", *d.Key)
	}
	text += fmt.Sprintf("user_id %d", d.User)
	if d.RawUser != nil && *d.RawUser != d.User {
		text += fmt.Sprintf(", delivered as %d", *d.RawUser)
	}
	if d.Dump != nil {
		text += fmt.Sprintf(", of dump %d", *d.Dump)
	}
	var columns []string
	for _, v := range d.Columns {
		if v.Want == nil && v.Found == nil {
			columns = append(columns, v.Column)
		} else {
			columns = append(columns, fmt.Sprintf("%s is %s, should be %s", v.Column, differingText(v.Found), differingText(v.Want)))
		}
	}
	if len(columns) > 0 {
		text += ": " + strings.Join(columns, "; ")
	}
	return text
}

func differingText(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}
