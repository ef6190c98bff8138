package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"reconcile/engine/dump"
	"reconcile/internal/feed"
)

// claims are the fields of an entry's files that its manifest lists by a name which
// Avro does not allow: that name by field.
type claims map[string]string

// rival is a listed name whose field another one has.
type rival struct{ name, owner, field string }

// claimFields finds the listed names that no file carries as they stand, and the
// fields that are meant. Of two names that claim one field the first has it.
func claimFields(columns []string, fields map[string]bool) (claims, []rival) {
	carried, listed := map[string]bool{}, map[string]bool{}
	for f := range fields {
		carried[feed.Key(f)] = true
	}
	for _, c := range columns {
		listed[feed.Key(c)] = true
	}
	var out claims
	var rivals []rival
	for _, c := range columns {
		form := feed.AvroForm(c)
		if form == c || carried[feed.Key(c)] || !fields[form] || feed.IsExact(form) || listed[feed.Key(form)] {
			continue
		}
		if owner, taken := out[form]; taken {
			if owner != c {
				rivals = append(rivals, rival{c, owner, form})
			}
			continue
		}
		if out == nil {
			out = claims{}
		}
		out[form] = c
	}
	return out, rivals
}

// isMangled reports whether Avro does not allow some of the names, so that only the
// files of their entry tell which fields are meant.
func isMangled(columns []string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return feed.AvroForm(c) != c })
}

// mayRival reports whether two names that Avro does not allow have one Avro form.
func mayRival(columns []string) bool {
	seen := map[string]string{}
	for _, c := range columns {
		form := feed.AvroForm(c)
		if form == c {
			continue
		}
		if was, ok := seen[form]; ok && was != c {
			return true
		}
		seen[form] = c
	}
	return false
}

// fieldsOf reads the names of the fields of an entry's files. An error names the
// file that cannot be read.
func fieldsOf(ctx context.Context, src *dump.Source, id int64, e *dump.Entry) (map[string]bool, error) {
	out := map[string]bool{}
	for i, f := range e.Files {
		h, err := readHeader(ctx, src, f.Key)
		if err != nil {
			return nil, &fileError{sourceFile{dump: id, index: i, key: f.Key}, err}
		}
		for _, fl := range h.Fields() {
			out[fl.Name] = true
		}
	}
	return out, nil
}

// claimsOf returns what the manifest's names mean in the files of an entry.
func claimsOf(ctx context.Context, src *dump.Source, id int64, e *dump.Entry) (claims, []rival, error) {
	if !e.HasColumns || !isMangled(e.Columns) {
		return nil, nil, nil
	}
	fields, err := fieldsOf(ctx, src, id, e)
	if err != nil {
		return nil, nil, err
	}
	c, rivals := claimFields(e.Columns, fields)
	return c, rivals, nil
}

// text tells claims apart.
func (c claims) text() string {
	out := ""
	for _, f := range slices.Sorted(maps.Keys(c)) {
		out += fmt.Sprintf("%q=%q ", f, c[f])
	}
	return out
}

// listedAs returns the name by which a field counts: its own, or the one that the
// manifest has for it. It returns false for a field that is not listed; keys and
// timestamps need not be.
func (f *shape) listedAs(field string) (name string, ok bool) {
	if !f.hasColumns || feed.IsExact(field) {
		return field, true
	}
	if name, ok := f.claims[field]; ok {
		return name, true
	}
	return field, f.listing(field) != ""
}

// listing is the first name in the manifest's list that is the field's, in whatever
// spelling; empty without one.
func (f *shape) listing(field string) string {
	key := feed.Key(field)
	if slices.Contains(f.columns, field) {
		return field
	}
	for _, c := range f.columns {
		if feed.Key(c) == key {
			return c
		}
	}
	return ""
}

// meant is listedAs for a table: a block that takes the listed spelling alone takes
// a field that the file has in another one.
func (f *shape) meant(field string, s *schema) (name string, ok bool) {
	name, ok = f.listedAs(field)
	if !ok || name != field || feed.IsExact(field) || !f.hasColumns || s.Table.Renames(field) {
		return name, ok
	}
	listed := f.listing(field)
	if listed == field || !s.Table.Renames(listed) {
		return field, true
	}
	for _, other := range f.head.Fields() {
		if other.Name == listed {
			return field, true
		}
	}
	return listed, true
}
