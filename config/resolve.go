package config

import (
	"math"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/feed"
)

// Table resolves the blocks for a delivered table with the given delivered
// columns, in the spelling of the newest manifest. It returns nil when no block
// takes the table. The diagnostics are mistakes that only show with the real
// table; with an error among them the table must not be used.
func (c *Config) Table(name string, delivered []string) (*Table, hcl.Diagnostics) {
	chain, diags := c.chain(name, globTakes(name, delivered))
	if len(chain) == 0 {
		return nil, sortDiagnostics(diags)
	}
	t, more := c.resolve(name, chain, delivered)
	return t, sortDiagnostics(append(diags, more...))
}

// ExactTables returns the tables that blocks name without a glob, sorted.
func (c *Config) ExactTables() []string {
	var out []string
	for _, t := range c.tables {
		if !t.pattern.glob {
			out = append(out, t.pattern.text)
		}
	}
	slices.Sort(out)
	return out
}

// Ignored reports whether an ignore block names the table. Of a table that an
// ignore block and a glob of a table block match, the one with more literal
// characters decides; an exact table block always takes its table.
func (c *Config) Ignored(name string) bool { return c.ignore(name) != nil }

// ignore is the most specific ignore block that matches, nil for none.
func (c *Config) ignore(name string) *ignoreBlock {
	var best *ignoreBlock
	for i := range c.ignores {
		b := &c.ignores[i]
		if b.pattern.match(name) && (best == nil || weight(b.pattern) > weight(best.pattern)) {
			best = b
		}
	}
	return best
}

// weight orders patterns: an exact name is above all globs.
func weight(p pattern) int {
	if !p.glob {
		return math.MaxInt
	}
	return p.literals
}

// globTakes reports whether a glob takes a table with these columns.
func globTakes(name string, delivered []string) bool {
	has := func(want string) bool { return slices.Contains(delivered, want) }
	return !needsExact(name) && has("user_id") && (has("event_id") || has("session_id"))
}

// chain returns the blocks that make up a table, the most specific first.
func (c *Config) chain(name string, globs bool) ([]*tableBlock, hcl.Diagnostics) {
	var exact *tableBlock
	var chain []*tableBlock
	for _, t := range c.tables {
		switch {
		case !t.pattern.glob && t.pattern.text == name:
			exact = t
		case t.pattern.glob && globs && t.pattern.match(name):
			chain = append(chain, t)
		}
	}
	slices.SortStableFunc(chain, func(a, b *tableBlock) int { return b.pattern.literals - a.pattern.literals })
	if exact != nil {
		chain = slices.Insert(chain, 0, exact)
	} else if len(chain) > 0 {
		if gone, diag := c.gaveUp(name, chain[0]); gone {
			return nil, nil
		} else if diag != nil {
			return chain, hcl.Diagnostics{diag}
		}
	}
	return untie(name, chain)
}

// untie ends the chain where a block does not inherit, and diagnoses globs up to
// there of which none is more specific.
func untie(name string, chain []*tableBlock) ([]*tableBlock, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	for i, t := range chain {
		if t.alone {
			return chain[:i+1], diags
		}
		if t.pattern.glob && i+1 < len(chain) && chain[i+1].pattern.literals == t.pattern.literals {
			diags = append(diags, deliveredAt(chain[i+1].rng, "Ambiguous table blocks",
				"The table %q matches %q (%s) and %q (%s), which have as many literal characters. Make one of them more specific, or give the table a block of its own with inherit = false.",
				name, t.pattern.text, place(t.rng), chain[i+1].pattern.text, place(chain[i+1].rng)))
		}
	}
	return chain, diags
}

// gaveUp reports whether an ignore or removed block takes a table out of reach of
// its most specific glob. That neither is more specific is a mistake.
func (c *Config) gaveUp(name string, top *tableBlock) (bool, *hcl.Diagnostic) {
	if slices.ContainsFunc(c.Removed, func(r Removed) bool { return r.Table == name }) {
		return true, nil
	}
	i := c.ignore(name)
	if i == nil || weight(i.pattern) < top.pattern.literals {
		return false, nil
	}
	if weight(i.pattern) > top.pattern.literals {
		return true, nil
	}
	return false, deliveredAt(i.rng, "Ambiguous ignore", "The table %q matches ignore %q and table %q (%s), which have as many literal characters. Make one of them more specific.",
		name, i.pattern.text, top.pattern.text, place(top.rng))
}

// inherit merges a chain into one block.
func inherit(chain []*tableBlock) *tableBlock {
	m := &tableBlock{pattern: chain[0].pattern, rng: chain[0].rng, as: chain[0].as}
	for _, t := range chain {
		m.sinks = first(m.sinks, t.sinks)
		m.partition = first(m.partition, t.partition)
		m.onSchema = first(m.onSchema, t.onSchema)
		m.onCast = first(m.onCast, t.onCast)
		m.listed = first(m.listed, t.listed)
	}
	m.columns = inheritColumns(chain)
	return m
}

// inheritColumns lists the column blocks of a chain, the more specific first. A
// name that one of them renames stands for its own spelling in all of them.
func inheritColumns(chain []*tableBlock) []*columnBlock {
	renamed := map[string]*setting[string]{}
	for _, t := range chain {
		for _, c := range t.columns {
			renamed[c.name] = first(renamed[c.name], c.as)
		}
	}
	var out []*columnBlock
	for level, t := range chain {
		for _, c := range t.columns {
			cp := *c
			cp.level, cp.as = level, renamed[c.name]
			out = append(out, &cp)
		}
	}
	return out
}

func first[T any](a, b *setting[T]) *setting[T] {
	if a != nil {
		return a
	}
	return b
}

// resolve builds the table of a chain. delivered is nil while the real table is
// not known: then only what is wrong with any columns is diagnosed.
func (c *Config) resolve(name string, chain []*tableBlock, delivered []string) (*Table, hcl.Diagnostics) {
	m := inherit(chain)
	t := &Table{
		Name: name, Folder: EncodeFolder(name), Exact: !m.pattern.glob, Block: m.pattern.text,
		OnSchemaChange: Evolve, OnCastError: "rescue", columns: m.columns, TimeUnit: c.Source.TimeUnit, renamed: renamedBy(m.columns), chain: chain, key: keyOf(name, delivered), decl: m.rng,
	}
	if m.as != nil {
		t.Folder = EncodeFolder(m.as.value)
	}
	if m.sinks != nil {
		t.Sinks = m.sinks.value
	}
	if m.onSchema != nil && !m.onSchema.wrong {
		t.OnSchemaChange = m.onSchema.value
	}
	if m.onCast != nil {
		t.OnCastError = m.onCast.value
	}
	if m.listed != nil && t.OnSchemaChange != Evolve {
		for _, e := range m.listed.value {
			t.Columns = append(t.Columns, e.value)
		}
	}
	if m.partition != nil {
		t.Partition = m.partition.value
		for _, d := range delivered {
			if t.ID(d) == t.ID(t.Partition.Column) {
				t.Partition.Column = d
			}
		}
	}
	for _, k := range c.masks {
		if k.takesTable(name) {
			t.masks = append(t.masks, k)
		}
	}
	return t, (&check{t: t, m: m, delivered: delivered}).all()
}

// keyOf is the column that, with user_id, identifies a row of a table.
func keyOf(name string, delivered []string) string {
	switch {
	case name == "users":
		return "user_id"
	case name == "user_migrations":
		return "from_user_id"
	case name == "sessions":
		return "session_id"
	}
	if len(delivered) == 0 || slices.Contains(delivered, "event_id") {
		return "event_id"
	}
	return "session_id"
}

// Takes reports whether the table has a delivered column. Under Evolve it has
// them all; otherwise those of the list, and always its key columns and what
// tells which row of a user is the latest.
func (t *Table) Takes(delivered string) bool {
	if t.OnSchemaChange == Evolve || delivered == "user_id" || delivered == t.key || t.Name == "users" && delivered == "last_modified" {
		return true
	}
	return slices.ContainsFunc(t.Columns, func(c string) bool { return t.lists(c, delivered) })
}

// lists reports whether a name in columns = [...] is for a delivered column.
func (t *Table) lists(name, delivered string) bool {
	return feed.Key(name) == feed.Key(delivered) || !protected(name) && fold(name) == fold(t.ownName(delivered))
}

// Column returns the settings that take effect for a delivered column: those of
// its column blocks, and of all masks that apply the strongest (drop before null
// before hmac-sha256). Keys and timestamps are never masked.
func (t *Table) Column(delivered string) Column {
	b := t.settings(delivered)
	c := Column{As: t.published(delivered), Type: naturalType(delivered)}
	if b.typ != nil {
		c.Type, c.Typed = b.typ.value, true
	}
	if b.merge != nil {
		c.Merge = b.merge.value
	}
	c.Rule = t.rule(b, delivered, c.Type)
	if protected(delivered) {
		return c
	}
	if b.mask != nil {
		c.Mask, c.Key = b.mask.value.method, b.mask.value.key()
	}
	for _, m := range t.masks {
		if m.method.strength() > c.Mask.strength() && m.takesColumn(delivered, c.As) {
			c.Mask, c.Key = m.method, m.key
		}
	}
	return c
}
