package config

import (
	"math"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/glob"
)

// Table resolves the blocks for a delivered table with the given delivered
// columns, in the spelling of the newest manifest. It returns nil when no block
// takes the table. The diagnostics are mistakes that only show with the real
// table; with an error among them the table must not be used.
func (c *Config) Table(name string, delivered []string) (*definition.Table, hcl.Diagnostics) {
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
		if !t.pattern.IsGlob() {
			out = append(out, string(t.pattern))
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
		if b.pattern.Match(name) && (best == nil || specificity(b.pattern) > specificity(best.pattern)) {
			best = b
		}
	}
	return best
}

// specificity orders patterns: an exact name is above all globs.
func specificity(p glob.Pattern) int {
	if !p.IsGlob() {
		return math.MaxInt
	}
	return p.Literals()
}

// globTakes reports whether a glob takes a table with these columns.
func globTakes(name string, delivered []string) bool {
	return !feed.IsSpecial(name) && feed.HasEvents(delivered)
}

// chain returns the blocks that make up a table, the most specific first.
func (c *Config) chain(name string, globs bool) ([]*tableBlock, hcl.Diagnostics) {
	var exact *tableBlock
	var chain []*tableBlock
	for _, t := range c.tables {
		switch {
		case !t.pattern.IsGlob() && string(t.pattern) == name:
			exact = t
		case t.pattern.IsGlob() && globs && t.pattern.Match(name):
			chain = append(chain, t)
		}
	}
	slices.SortStableFunc(chain, func(a, b *tableBlock) int { return b.pattern.Literals() - a.pattern.Literals() })
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
		if t.pattern.IsGlob() && i+1 < len(chain) && chain[i+1].pattern.Literals() == t.pattern.Literals() {
			diags = append(diags, deliveredAt(chain[i+1].rng, "Ambiguous table blocks",
				"The table %q matches %q (%s) and %q (%s), which have as many literal characters. Make one of them more specific, or give the table a block of its own with inherit = false.",
				name, string(t.pattern), place(t.rng), string(chain[i+1].pattern), place(chain[i+1].rng)))
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
	if i == nil || specificity(i.pattern) < top.pattern.Literals() {
		return false, nil
	}
	if specificity(i.pattern) > top.pattern.Literals() {
		return true, nil
	}
	return false, deliveredAt(i.rng, "Ambiguous ignore", "The table %q matches ignore %q and table %q (%s), which have as many literal characters. Make one of them more specific.",
		name, string(i.pattern), string(top.pattern), place(top.rng))
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
		m.guard = m.guard.inherit(t.guard)
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
func (c *Config) resolve(name string, chain []*tableBlock, delivered []string) (*definition.Table, hcl.Diagnostics) {
	m := inherit(chain)
	t := &definition.Table{
		Name: name, Folder: definition.EncodeFolder(name), Exact: !m.pattern.IsGlob(), TableBlocks: labels(chain),
		OnSchemaChange: definition.Evolve, OnCastError: definition.Rescue, TimeUnit: c.Source.TimeUnit, Blocks: definedBlocks(m.columns), Guard: m.guard.defined(),
		Checks: c.ChecksOf(name),
	}
	t.Kind, t.Key = kindOf(name, delivered)
	t.Renamed = renamedBy(t.Blocks)
	if m.as != nil {
		t.Folder = definition.EncodeFolder(m.as.value)
	}
	if m.sinks != nil {
		for _, s := range m.sinks.value {
			t.Sinks = append(t.Sinks, s.Sink)
		}
	}
	if m.onSchema != nil && !m.onSchema.wrong {
		t.OnSchemaChange = m.onSchema.value
	}
	if m.onCast != nil {
		t.OnCastError = m.onCast.value
	}
	if m.listed != nil && t.OnSchemaChange != definition.Evolve {
		for _, e := range m.listed.value {
			t.Columns = append(t.Columns, e.value)
		}
	}
	t.Prepare()
	if m.partition != nil {
		t.Partition = m.partition.value
		for _, d := range delivered {
			if t.ID(d) == t.ID(t.Partition.Column) {
				t.Partition.Column = d
			}
		}
		t.PartitionBy = canonicalPartition(t.Partition)
	}
	k := &check{t: t, m: m, delivered: delivered, checks: c.checksOf(name)}
	for _, b := range c.masks {
		if b.takesTable(name) {
			k.maskBlocks = append(k.maskBlocks, b)
			t.Masks = append(t.Masks, b.mask)
		}
	}
	return t, k.all()
}

// renamedBy lists the names of blocks with a new name, each once, sorted.
func renamedBy(blocks []definition.Block) []string {
	var out []string
	for _, b := range blocks {
		if b.As != "" {
			out = append(out, b.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// labels returns the labels of table blocks.
func labels(chain []*tableBlock) []string {
	out := make([]string, len(chain))
	for i, t := range chain {
		out[i] = string(t.pattern)
	}
	return out
}

// kindOf returns the kind of a table and its key. A table of which no column is known
// is taken for one of events.
func kindOf(name string, delivered []string) (kind, key string) {
	if len(delivered) == 0 {
		delivered = []string{feed.UserID, feed.EventID}
	}
	kind, key, _ = feed.Identify(name, delivered)
	return kind, key
}

// definedBlocks returns column blocks without what only diagnostics need.
func definedBlocks(blocks []*columnBlock) []definition.Block {
	var out []definition.Block
	for _, b := range blocks {
		d := definition.Block{Name: b.name, Level: b.level}
		if b.as != nil {
			d.As = b.as.value
		}
		if b.typ != nil {
			d.Type = &b.typ.value
		}
		if b.mask != nil {
			d.Mask = b.mask.value.defined()
		}
		if b.merge != nil {
			d.Merge = b.merge.value
		}
		if b.unit != nil {
			d.Unit = &b.unit.value
		}
		if b.round != nil {
			d.Round = b.round.value
		}
		out = append(out, d)
	}
	return out
}

// MasksByKey names the masks whose key has a verifier.
func (c *Config) MasksByKey(verifier string) (out []string) {
	for _, m := range c.masks {
		if verifier != "" && m.mask.Verifier == verifier {
			out = append(out, m.name)
		}
	}
	return out
}

// MaskKey returns the key of the masks that have a verifier, nil if none has it.
func (c *Config) MaskKey(verifier string) Secret {
	for _, m := range c.masks {
		if verifier != "" && m.mask.Verifier == verifier {
			return m.key
		}
	}
	return nil
}
