package rules

import (
	"slices"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// ColumnRegistry collects what is known of a table's columns, by what tells them apart,
// in the order in which they came.
type ColumnRegistry struct {
	table  *definition.Table
	legacy bool
	byID   map[string]*Column
	order  []string
	taken  map[string]string // in a legacy table: ID by published name, folded
}

// NewColumnRegistry begins the registry of a table; legacy says that an older program named the
// columns that it has.
func NewColumnRegistry(t *definition.Table, legacy bool) *ColumnRegistry {
	return &ColumnRegistry{table: t, legacy: legacy, byID: map[string]*Column{}, taken: map[string]string{}}
}

// Has notes a column that the table has.
func (b *ColumnRegistry) Has(c Column) {
	id := b.table.ID(AskedName(b.table, b.legacy, c.Delivered, c.Name))
	if b.legacy {
		b.taken[feed.Fold(c.Name)] = id
	}
	b.addColumn(id, c)
}

// noteColumn notes a column that is delivered or wanted.
func (b *ColumnRegistry) noteColumn(c Column) { b.addColumn(b.table.ID(c.Delivered), c) }

func (b *ColumnRegistry) addColumn(id string, c Column) {
	k := b.byID[id]
	if k == nil {
		c.Spellings = slices.Clone(c.Spellings)
		b.byID[id] = &c
		b.order = append(b.order, id)
		return
	}
	k.Listed = k.Listed || c.Listed
	k.Seen = max(k.Seen, c.Seen)
	for _, name := range c.names() {
		k.Spell(name)
	}
}

// publishedName is the name of a column that the configuration would publish as
// as. A legacy table keeps the names that it has, so that a new column may have to
// give way to one of them.
func (b *ColumnRegistry) publishedName(id, as string) string {
	if !b.legacy {
		return as
	}
	if k := b.byID[id]; k.Name != "" && b.table.KeepsName(AskedName(b.table, true, k.Delivered, k.Name), as, k.Name) {
		return k.Name
	}
	for {
		owner, taken := b.taken[feed.Fold(as)]
		if !taken || owner == id {
			b.taken[feed.Fold(as)] = id
			return as
		}
		as += "_"
	}
}

// resolve returns a column as the configuration has it.
func (b *ColumnRegistry) resolve(id string, c definition.Column) Column {
	k := b.byID[id]
	out := Column{Delivered: k.Delivered, ID: id, Spellings: k.Spellings, Since: k.Since, Mask: c.Mask, Listed: k.Listed, Seen: k.Seen}
	if c.Mask == definition.MaskDrop {
		return out
	}
	if c.Mask == definition.MaskNone { // what a mask leaves is text or nothing
		out.Type, out.Rule = c.Type, c.Rule
	}
	out.Name, out.Verifier, out.Merge = b.publishedName(id, c.As), c.Verifier, c.Merge
	return out
}

// AddedName is what is to be said of a delivered name when it first arrives.
type AddedName struct {
	YieldsAs string // it is a property of its own and gets this name, as the table uses its own otherwise
	Spells   string // it is another spelling of this name
}

// AddDelivered notes a delivered name.
func (b *ColumnRegistry) AddDelivered(name string) (m AddedName) {
	if feed.IsExact(name) || !b.table.Takes(name) {
		return m
	}
	id := b.table.ID(name)
	k := b.byID[id]
	if k == nil {
		b.noteColumn(Column{Delivered: name})
		as := b.publishedName(id, b.table.Column(name).As)
		if b.table.Yields(name) {
			m.YieldsAs = as
		}
		return m
	}
	if k.Spell(name) {
		m.Spells = k.Delivered
	}
	return m
}

// AskedName is the delivered name that the configuration is to be asked about for a
// column that a table has: the delivered one, but in a legacy table. There a column that
// is published under the name of a key or a timestamp, in whatever case, is that one; and
// one that has the new name of a block is the block's, however it was spelled.
func AskedName(t *definition.Table, legacy bool, delivered, published string) string {
	if !legacy {
		return delivered
	}
	if name := feed.Fold(published); feed.IsExact(name) {
		return name
	}
	for _, label := range t.Renamed {
		if feed.Key(label) == feed.Key(delivered) && t.Column(label).As == published {
			return label
		}
	}
	return delivered
}
