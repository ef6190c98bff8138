package config

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// Delivered is what was ever delivered, against which CheckNames judges the names in
// a configuration.
type Delivered struct {
	Tables []DeliveredTable
	Dumps  []DeliveredDump
	// InState are the tables that the state has, Removed those that a removed block
	// took out of it.
	InState, Removed []string
	// OnlyState says that only what the state has was looked at, where ignored tables
	// never are.
	OnlyState bool
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
	Table *definition.Table

	matched map[int]bool // blocks of Table that are for some column; nil before anybody asks
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
	return d.Table.Published(column)
}

// has reports whether a column block is for a delivered column.
func (d *DeliveredTable) has(b *columnBlock) bool {
	if slices.Contains(d.Columns, b.name) {
		return true
	}
	is := func(c string) bool { return feed.Key(c) == feed.Key(b.name) }
	if d.Table != nil {
		if i := slices.IndexFunc(d.Table.Blocks, func(x definition.Block) bool { return x.Name == b.name }); i >= 0 {
			return d.matches(i)
		}
	}
	return slices.ContainsFunc(d.Columns, is)
}

// matches reports whether the block at an index of the table is for a delivered column.
func (d *DeliveredTable) matches(block int) bool {
	if d.matched == nil {
		d.matched = map[int]bool{}
		for _, c := range d.Columns {
			for _, i := range d.Table.BlocksOf(c) {
				d.matched[i] = true
			}
		}
	}
	return d.matched[block]
}

// lists reports whether a name in columns = [...] is for a delivered column.
func (d *DeliveredTable) lists(name string) bool {
	return slices.Contains(d.Columns, name) || slices.ContainsFunc(d.Columns, func(c string) bool {
		return feed.Key(c) == feed.Key(name) || d.Table != nil && d.Table.Lists(name, c)
	})
}

// blocks returns the table blocks that take the table, or may take it once its
// columns are known.
func (c *Config) blocks(d *DeliveredTable) []*tableBlock {
	if d.Table != nil {
		return c.tableBlocks(d.Table)
	}
	chain, _ := c.chain(d.Name, d.Unknown && !feed.IsSpecial(d.Name) || globTakes(d.Name, d.Columns))
	return chain
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
	texts := func(ps []glob.Pattern) []string {
		out := make([]string, len(ps))
		for i, p := range ps {
			out[i] = string(p)
		}
		slices.Sort(out)
		return out
	}
	return digestOf([]string{"mask", string(m.mask.Method), optionalText(m.optional)}, texts(m.tables), texts(m.mask.Columns))
}

// digest tells whether the mask of the block is new or edited.
func (b *columnBlock) digest(t *tableBlock) string {
	return digestOf([]string{"column", string(b.mask.value.method), optionalText(b.optional)}, []string{string(t.pattern), b.name})
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
	j.checks()
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
