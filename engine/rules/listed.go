package rules

import (
	"slices"

	"reconcile/internal/feed"
)

// FileNames are the names of one part file: those of its fields, and what its manifest
// lists.
type FileNames struct {
	Fields     []string
	Columns    []string          // that the manifest lists
	HasColumns bool              // it lists some, or none
	Claims     map[string]string // by field, the listed name that Avro does not allow and that means it
}

// listedAs returns the name by which a field counts: its own, or the one that the
// manifest has for it. It returns false for a field that is not listed; keys and
// timestamps need not be.
func (f *FileNames) listedAs(field string) (name string, ok bool) {
	if !f.HasColumns || feed.IsExact(field) {
		return field, true
	}
	if name, ok := f.Claims[field]; ok {
		return name, true
	}
	return field, f.listing(field) != ""
}

// listing is the first name in the manifest's list that is the field's, in whatever
// spelling; empty without one.
func (f *FileNames) listing(field string) string {
	if slices.Contains(f.Columns, field) {
		return field
	}
	key := feed.Key(field)
	for _, c := range f.Columns {
		if feed.Key(c) == key {
			return c
		}
	}
	return ""
}

// lists reports whether the manifest's list has a name in this very spelling.
func (f *FileNames) lists(name string) bool { return f.listing(name) == name }

// Meant returns the name by which a field counts in a table: its own, or the one that
// the manifest has for it. A block that takes the listed spelling alone takes a field that
// the file has in another one. It reports false for a field that is not listed.
func (s *Schema) Meant(f *FileNames, field string) (name string, ok bool) {
	name, ok = f.listedAs(field)
	if !ok || name != field || feed.IsExact(field) || !f.HasColumns || s.Table.Renames(field) {
		return name, ok
	}
	listed := f.listing(field)
	if listed == field || !s.Table.Renames(listed) || slices.Contains(f.Fields, listed) {
		return field, true
	}
	return listed, true
}

// Order returns the indexes of the fields so that the one that counts most comes last:
// in the order in which the manifest lists them by their exact name, before that those
// that it lists in another spelling, in the order of the file.
func (f *FileNames) Order() []int {
	out := make([]int, len(f.Fields))
	place := make([]int, len(f.Fields))
	for i, field := range f.Fields {
		out[i] = i
		name, _ := f.listedAs(field)
		place[i] = slices.Index(f.Columns, name)
	}
	slices.SortStableFunc(out, func(a, b int) int { return place[a] - place[b] })
	return out
}
