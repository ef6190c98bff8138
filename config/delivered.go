package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/feed"
)

// Delivered is what was ever delivered, against which CheckNames judges the names in
// a configuration.
type Delivered struct {
	Tables []DeliveredTable
	Dumps  []DeliveredDump
	// InState are the tables that the state has, Removed those that a removed block
	// took out of it.
	InState, Removed []string
	// Judged has the digests of the masks that were judged before.
	Judged map[string]bool
}

// DeliveredTable is what was ever delivered of one table.
type DeliveredTable struct {
	Name    string
	Columns []string
	// Unknown says that it may have further columns, of which nothing can be known.
	Unknown bool
	// Table is its configuration, nil if no block takes it.
	Table *Table
}

// DeliveredDump is a dump that was ever delivered.
type DeliveredDump struct {
	ID int64
	// Tables are those that its manifest lists, nil if that is not known.
	Tables []string
}

// published is the name that a delivered column gets.
func (d *DeliveredTable) published(column string) string {
	if d.Table == nil {
		return column
	}
	return d.Table.published(column)
}

// has reports whether a column block is for a delivered column.
func (d *DeliveredTable) has(b *columnBlock) bool {
	if slices.Contains(d.Columns, b.name) {
		return true
	}
	is := func(c string) bool { return feed.Key(c) == feed.Key(b.name) }
	if d.Table != nil {
		if i := slices.IndexFunc(d.Table.columns, func(x *columnBlock) bool { return x.name == b.name }); i >= 0 {
			is = func(c string) bool { return d.Table.meets(d.Table.columns[i], c) }
		}
	}
	return slices.ContainsFunc(d.Columns, is)
}

// lists reports whether a name in columns = [...] is for a delivered column.
func (d *DeliveredTable) lists(name string) bool {
	return slices.Contains(d.Columns, name) || slices.ContainsFunc(d.Columns, func(c string) bool {
		return feed.Key(c) == feed.Key(name) || d.Table != nil && d.Table.lists(name, c)
	})
}

// blocks returns the table blocks that take the table, or may take it once its
// columns are known.
func (c *Config) blocks(d *DeliveredTable) []*tableBlock {
	if d.Table != nil {
		return d.Table.chain
	}
	chain, _ := c.chain(d.Name, d.Unknown && !needsExact(d.Name) || globTakes(d.Name, d.Columns))
	return chain
}

// loose is a name without what people spell in several ways.
func loose(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, fold(name))
}

// digestOf tells what was judged of a mask. Keys are no part of it.
func digestOf(lists ...[]string) string {
	h := sha256.New()
	write := func(s string) {
		_ = binary.Write(h, binary.LittleEndian, uint64(len(s))) // to a hash: never fails
		_, _ = h.Write([]byte(s))
	}
	for _, list := range lists {
		_ = binary.Write(h, binary.LittleEndian, uint64(len(list)))
		for _, s := range list {
			write(s)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func optionalText(optional bool) string {
	if optional {
		return "optional"
	}
	return ""
}

// digest tells whether the mask is new or edited. Its label is no part of it.
func (m *maskBlock) digest() string {
	texts := func(ps []pattern) []string {
		out := make([]string, len(ps))
		for i, p := range ps {
			out[i] = p.text
		}
		slices.Sort(out)
		return out
	}
	return digestOf([]string{"mask", string(m.method), optionalText(m.optional)}, texts(m.tables), texts(m.columns))
}

// digest tells whether the mask of the block is new or edited.
func (b *columnBlock) digest(t *tableBlock) string {
	return digestOf([]string{"column", string(b.mask.value.method), optionalText(b.optional)}, []string{t.pattern.text, b.name})
}

// CheckNames judges the names in the configuration against what was delivered. A mask
// that meets nothing is an error where it is new or edited. It also returns the
// digests of the masks that are judged by now; none of them says anything of a key.
func (c *Config) CheckNames(d Delivered) (diags hcl.Diagnostics, judged []string) {
	j := &judge{c: c, d: d}
	for _, m := range c.masks {
		if m.scoped {
			j.mask(m)
		}
	}
	j.tableBlocks()
	if len(d.Tables) > 0 {
		j.ignores()
		j.skips()
	}
	j.removals()
	slices.Sort(j.judged)
	return sortDiagnostics(j.diags), slices.Compact(j.judged)
}

// judge carries one CheckNames.
type judge struct {
	c      *Config
	d      Delivered
	diags  hcl.Diagnostics
	judged []string
}

func (j *judge) warn(at hcl.Range, summary, format string, args ...any) {
	j.diags = append(j.diags, warnAt(at, summary, format, args...))
}

// verdict is how what is wrong with one mask is diagnosed.
type verdict struct {
	j      *judge
	severe bool
}

// verdictOf decides whether a mistake in a mask is an error, and notes that the mask
// is judged: it is not while some columns of its tables cannot be known.
func (j *judge) verdictOf(digest string, optional bool, tables []*DeliveredTable) verdict {
	known := len(j.d.Tables) > 0 && !slices.ContainsFunc(tables, func(t *DeliveredTable) bool { return t.Unknown })
	before := j.d.Judged[digest]
	if known || before {
		j.judged = append(j.judged, digest)
	}
	return verdict{j, known && !before && !optional}
}

func (v verdict) add(at hcl.Range, summary, format string, args ...any) {
	d := errorAt(at, summary, format, args...)
	if !v.severe {
		d.Severity = hcl.DiagWarning
	}
	v.j.diags = append(v.j.diags, d)
}

// tablesOf returns the delivered tables that a function takes.
func (j *judge) tablesOf(takes func(*DeliveredTable) bool) []*DeliveredTable {
	var out []*DeliveredTable
	for i := range j.d.Tables {
		if takes(&j.d.Tables[i]) {
			out = append(out, &j.d.Tables[i])
		}
	}
	return out
}

func (j *judge) tableNames() []string {
	out := make([]string, len(j.d.Tables))
	for i, t := range j.d.Tables {
		out[i] = t.Name
	}
	return out
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

// maskable is what masks can meet in tables.
type maskable struct {
	tables  []*DeliveredTable
	columns []string // as delivered, each once, keys and timestamps too
	names   []string // by which they are met, but for new names
	renamed []string // new names, once they are needed
	all     bool     // renamed is complete
}

func newMaskable(tables []*DeliveredTable) *maskable {
	s := &maskable{tables: tables, columns: columnsOf(tables)}
	for _, c := range s.columns {
		s.names = append(s.names, maskedNames(c, c)...)
	}
	return s
}

// meets reports whether a name or glob of a mask is for a delivered column.
func (s *maskable) meets(p pattern) bool {
	return slices.ContainsFunc(s.names, p.match) || slices.ContainsFunc(s.newNames(), p.match)
}

func (s *maskable) newNames() []string {
	if s.all {
		return s.renamed
	}
	s.all = true
	seen := map[string]bool{}
	for _, t := range s.tables {
		for _, c := range t.Columns {
			if name := t.published(c); name != c && !protected(c) && !seen[name] {
				seen[name] = true
				s.renamed = append(s.renamed, fold(name))
			}
		}
	}
	return s.renamed
}

// hint is the delivered name that is most like another one, as a sentence.
func (s *maskable) hint(name string) string {
	return didYouMean(name, slices.DeleteFunc(slices.Clone(s.columns), protected))
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
	meetsNothing  = "Mask that meets nothing"
	nameUnmet     = "Name that meets nothing"
	nameMisspelt  = "Misspelt name in a mask"
	optionalMask  = " If it is delivered later, say optional = true in the mask."
	optionalBlock = " If it is delivered later, say optional = true in the column block."
)

// mask judges the names of a mask block.
func (j *judge) mask(m *maskBlock) {
	tables := j.tablesOf(func(t *DeliveredTable) bool { return m.takesTable(t.Name) })
	v := j.verdictOf(m.digest(), m.optional, tables)
	if len(j.d.Tables) == 0 {
		v.add(m.rng, meetsNothing, "Nothing was delivered so far, so that nobody can tell whether the mask %q meets what it is for.", m.name)
		return
	}
	j.maskTables(m, v)
	s := newMaskable(tables)
	var unmet []setting[string]
	met := false
	for i, p := range m.columns {
		if s.meets(p) {
			met = true
		} else if !p.glob {
			unmet = append(unmet, m.listed[i])
		}
	}
	hint := ""
	for _, name := range unmet {
		near, table := s.near(name.value)
		switch {
		case near != "":
			v.add(name.rng, nameMisspelt, "No delivered column that the mask %q takes is called %q, but the table %q has %q%s. Write the name as it is delivered, or take it off the list."+optionalMask,
				m.name, name.value, table, near, keyNote(near))
		case met:
			j.warn(name.rng, nameUnmet, "No delivered column of a table that the mask %q takes is called %q so far.%s", m.name, name.value, s.hint(name.value))
		case hint == "":
			hint = s.hint(name.value)
		}
	}
	if !met {
		if hint == "" {
			hint = j.elsewhere(m, tables)
		}
		v.add(m.columnsAt, meetsNothing, "No delivered column of a table that the mask %q takes has one of its names, so that it masks nothing.%s"+optionalMask, m.name, hint)
	}
}

// keyNote says of a delivered name that it cannot be masked.
func keyNote(name string) string {
	if protected(name) {
		return ", a key or a timestamp, which cannot be masked"
	}
	return ""
}

// maskTables judges the tables that a mask names.
func (j *judge) maskTables(m *maskBlock, v verdict) {
	for i, p := range m.tables {
		if p.glob || slices.ContainsFunc(j.d.Tables, func(t DeliveredTable) bool { return p.match(fold(t.Name)) }) {
			continue
		}
		name := m.tablesListed[i]
		near := slices.IndexFunc(j.d.Tables, func(t DeliveredTable) bool { return loose(t.Name) == loose(name.value) })
		if near >= 0 {
			v.add(name.rng, nameMisspelt, "No table that was delivered is called %q, which the mask %q names, but %q is. Write the name as it is delivered, or take it off the list."+optionalMask,
				name.value, m.name, j.d.Tables[near].Name)
		} else {
			j.warn(name.rng, nameUnmet, "No table that was delivered is called %q so far, which the mask %q names.%s", name.value, m.name, didYouMean(name.value, j.tableNames()))
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
