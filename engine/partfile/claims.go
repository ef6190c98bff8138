package partfile

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"reconcile/internal/feed"
)

// Claims are the fields of an entry's files that its manifest lists by a name which
// Avro does not allow: that name by field.
type Claims map[string]string

// Rival is a listed name whose field another one has.
type Rival struct{ Name, Owner, Field string }

// claimFields finds the listed names that no file carries as they stand, and the
// fields that are meant. Of two names that claim one field the first has it.
func claimFields(columns []string, fields map[string]bool) (Claims, []Rival) {
	carried, listed := map[string]bool{}, map[string]bool{}
	for f := range fields {
		carried[feed.Key(f)] = true
	}
	for _, c := range columns {
		listed[feed.Key(c)] = true
	}
	var out Claims
	var rivals []Rival
	for _, c := range columns {
		form := feed.AvroForm(c)
		if form == c || carried[feed.Key(c)] || !fields[form] || feed.IsExact(form) || listed[feed.Key(form)] {
			continue
		}
		if owner, taken := out[form]; taken {
			if owner != c {
				rivals = append(rivals, Rival{c, owner, form})
			}
			continue
		}
		if out == nil {
			out = Claims{}
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

// MayRival reports whether two names that Avro does not allow have one Avro form.
func MayRival(columns []string) bool {
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

// fieldsOf reads the names of the fields of files. It fails with a FileError.
func fieldsOf(ctx context.Context, src Opener, keys iter.Seq2[string, error]) (map[string]bool, error) {
	out := map[string]bool{}
	for key, err := range keys {
		if err != nil {
			return nil, err
		}
		h, err := Header(ctx, src, key)
		if err != nil {
			return nil, &FileError{Key: key, Err: err}
		}
		for _, f := range h.Fields() {
			out[f.Name] = true
		}
	}
	return out, nil
}

// ClaimsOf returns what the columns that a manifest lists mean in its files, and which of
// them claim one field. It fails with a FileError. Files are only read where Avro does not
// allow some of the names.
func ClaimsOf(ctx context.Context, src Opener, columns []string, keys iter.Seq2[string, error]) (Claims, []Rival, error) {
	if !isMangled(columns) {
		return nil, nil, nil
	}
	fields, err := fieldsOf(ctx, src, keys)
	if err != nil {
		return nil, nil, err
	}
	c, rivals := claimFields(columns, fields)
	return c, rivals, nil
}

// Text tells claims apart.
func (c Claims) Text() string {
	var out strings.Builder
	for _, f := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&out, "%q=%q ", f, c[f])
	}
	return out.String()
}
