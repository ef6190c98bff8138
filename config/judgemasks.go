package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// loose is a name without what people spell in several ways.
func loose(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, feed.Fold(name))
}

// columnsOf returns the columns of tables, each once: most have the same ones.
func columnsOf(tables []*DeliveredTable) []string {
	var out []string
	seen := map[string]bool{}
	for _, t := range tables {
		for _, c := range t.Columns {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

// maskable is what masks can match in tables.
type maskable struct {
	tables  []*DeliveredTable
	columns []string        // as delivered, each once, keys and timestamps too
	names   map[string]bool // by which they are matched, but for new names
	renamed map[string]bool // new names; nil before they are needed
}

func newMaskable(tables []*DeliveredTable) *maskable {
	s := &maskable{tables: tables, columns: columnsOf(tables), names: map[string]bool{}}
	for _, c := range s.columns {
		for _, name := range definition.MaskedNames(c, c) {
			s.names[name] = true
		}
	}
	return s
}

// matches reports whether a name or glob of a mask is for a delivered column.
func (s *maskable) matches(p glob.Pattern) bool {
	if !p.IsGlob() {
		return s.names[string(p)] || s.newNames()[string(p)]
	}
	for _, names := range []map[string]bool{s.names, s.newNames()} {
		for name := range names {
			if p.Match(name) {
				return true
			}
		}
	}
	return false
}

func (s *maskable) newNames() map[string]bool {
	if s.renamed != nil {
		return s.renamed
	}
	s.renamed = map[string]bool{}
	for _, t := range s.tables {
		for _, c := range t.Columns {
			if name := t.published(c); name != c && !feed.IsExact(c) {
				s.renamed[feed.Fold(name)] = true
			}
		}
	}
	return s.renamed
}

// hint is the delivered name that is most like another one, as a sentence.
func (s *maskable) hint(name string) string {
	return didYouMean(name, slices.DeleteFunc(slices.Clone(s.columns), feed.IsExact))
}

// near returns a delivered name that is another one but for its spelling, and a
// table that has it; "" if there is none.
func (s *maskable) near(name string) (column, table string) {
	want := loose(name)
	i := slices.IndexFunc(s.columns, func(c string) bool { return loose(c) == want })
	if i < 0 {
		return "", ""
	}
	t := slices.IndexFunc(s.tables, func(t *DeliveredTable) bool { return slices.Contains(t.Columns, s.columns[i]) })
	return s.columns[i], s.tables[t].Name
}

const (
	matchesNothing     = "Mask that meets nothing"
	nameMatchesNothing = "Name that meets nothing"
	nameMisspelt       = "Misspelt name in a mask"
	optionalMask       = " If it is delivered later, say optional = true in the mask."
	optionalBlock      = " If it is delivered later, say optional = true in the column block."
)

// later says what to do with a mask whose columns are to come; nothing where that is done.
func (m *maskBlock) later() string {
	if m.optional {
		return ""
	}
	return optionalMask
}

// mask judges the names of a mask block.
func (j *judge) mask(m *maskBlock) {
	tables := j.tablesOf(func(t *DeliveredTable) bool { return m.takesTable(t.Name) })
	v := j.verdictOf(m.digest(), m.optional, tables)
	if len(j.d.Tables) == 0 {
		v.add(m.rng, matchesNothing, "Nothing was delivered so far, so that nobody can tell whether the mask %q meets what it is for.", m.name)
		return
	}
	j.maskTables(m, v)
	s := newMaskable(tables)
	var unmatched []setting[string]
	matched := false
	for i, p := range m.mask.Columns {
		if s.matches(p) {
			matched = true
		} else if !p.IsGlob() {
			unmatched = append(unmatched, m.listed[i])
		}
	}
	hint := ""
	for _, name := range unmatched {
		near, table := s.near(name.value)
		switch {
		case near != "":
			v.add(name.rng, nameMisspelt, "No delivered column that the mask %q takes is called %q, but the table %q has %q%s. Write the name as it is delivered, or take it off the list.%s",
				m.name, name.value, table, near, keyNote(near), m.later())
		case matched:
			j.warn(name.rng, nameMatchesNothing, "No delivered column of a table that the mask %q takes is called %q so far.%s", m.name, name.value, s.hint(name.value))
		case hint == "":
			hint = s.hint(name.value)
		}
	}
	if !matched {
		if hint == "" {
			hint = j.elsewhere(m, tables)
		}
		v.add(m.columnsAt, matchesNothing, "No delivered column of a table that the mask %q takes has one of its names, so that it masks nothing.%s%s", m.name, hint, m.later())
	}
}

// keyNote says of a delivered name that it cannot be masked.
func keyNote(name string) string {
	if feed.IsExact(name) {
		return ", a key or a timestamp, which cannot be masked"
	}
	return ""
}

// maskTables judges the tables that a mask names.
func (j *judge) maskTables(m *maskBlock, v verdict) {
	for i, p := range m.tables {
		if p.IsGlob() || slices.ContainsFunc(j.d.Tables, func(t DeliveredTable) bool { return p.Match(feed.Fold(t.Name)) }) {
			continue
		}
		name := m.tablesListed[i]
		near := slices.IndexFunc(j.d.Tables, func(t DeliveredTable) bool { return loose(t.Name) == loose(name.value) })
		if near >= 0 {
			v.add(name.rng, nameMisspelt, "No table that was delivered is called %q, which the mask %q names, but %q is. Write the name as it is delivered, or take it off the list.%s",
				name.value, m.name, j.d.Tables[near].Name, m.later())
		} else {
			j.warn(name.rng, nameMatchesNothing, "No table that was delivered is called %q so far, which the mask %q names.%s", name.value, m.name, didYouMean(name.value, j.tableNames()))
		}
	}
}

// elsewhere says which table has what a mask is for, if it does not take it.
func (j *judge) elsewhere(m *maskBlock, tables []*DeliveredTable) string {
	for i := range j.d.Tables {
		t := &j.d.Tables[i]
		if slices.Contains(tables, t) {
			continue
		}
		if c := slices.IndexFunc(t.Columns, func(c string) bool { return m.takesColumn(c, t.published(c)) }); c >= 0 {
			return fmt.Sprintf(" The table %q has %q, but the mask does not take that table.", t.Name, t.Columns[c])
		}
	}
	if len(tables) == 0 {
		return " None of its tables was delivered."
	}
	return ""
}
