package engine

import (
	"slices"

	"reconcile/internal/feed"
)

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
