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

// Listed finds the names of one part file in what its manifest lists. It belongs to one
// goroutine.
type Listed struct {
	names  *FileNames
	place  map[string]int    // in the manifest's list, by name
	byKey  map[string]string // the first of the names that are spellings of one
	fields map[string]bool   // nil before anybody asks
}

// Listed returns what finds the names.
func (f *FileNames) Listed() *Listed {
	l := &Listed{names: f, place: make(map[string]int, len(f.Columns)), byKey: make(map[string]string, len(f.Columns))}
	for i, c := range f.Columns {
		if _, ok := l.place[c]; !ok {
			l.place[c] = i
		}
		if key := feed.Key(c); l.byKey[key] == "" {
			l.byKey[key] = c
		}
	}
	return l
}

// as returns the name by which a field counts: its own, or the one that the
// manifest has for it. It returns false for a field that is not listed; keys and
// timestamps need not be.
func (l *Listed) as(field string) (name string, ok bool) {
	if !l.names.HasColumns || feed.IsExact(field) {
		return field, true
	}
	if name, ok := l.names.Claims[field]; ok {
		return name, true
	}
	return field, l.spelling(field) != ""
}

// spelling is the first name in the manifest's list that is the field's, the very same
// before all others; empty without one.
func (l *Listed) spelling(field string) string {
	if l.has(field) {
		return field
	}
	return l.byKey[feed.Key(field)]
}

// has reports whether the manifest's list has a name in this very spelling.
func (l *Listed) has(name string) bool {
	_, ok := l.place[name]
	return ok
}

// isField reports whether the file has a field of that very name.
func (l *Listed) isField(name string) bool {
	if l.fields == nil {
		l.fields = make(map[string]bool, len(l.names.Fields))
		for _, f := range l.names.Fields {
			l.fields[f] = true
		}
	}
	return l.fields[name]
}

// Meant returns the name by which a field counts in a table: its own, or the one that
// the manifest has for it. A block that takes the listed spelling alone takes a field that
// the file has in another one. It reports false for a field that is not listed.
func (s *Schema) Meant(l *Listed, field string) (name string, ok bool) {
	name, ok = l.as(field)
	if !ok || name != field || feed.IsExact(field) || !l.names.HasColumns || s.Table.Renames(field) {
		return name, ok
	}
	listed := l.spelling(field)
	if listed == field || !s.Table.Renames(listed) || l.isField(listed) {
		return field, true
	}
	return listed, true
}

// Order returns the indexes of the fields so that the one that counts most comes last:
// in the order in which the manifest lists them by their exact name, before that those
// that it lists in another spelling, in the order of the file.
func (l *Listed) Order() []int {
	fields := l.names.Fields
	out := make([]int, len(fields))
	place := make([]int, len(fields))
	for i, field := range fields {
		out[i], place[i] = i, -1
		name, _ := l.as(field)
		if at, ok := l.place[name]; ok {
			place[i] = at
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return place[a] - place[b] })
	return out
}
