package engine

import (
	"slices"

	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// columnBook collects what is known of a table's columns, by what tells them apart,
// in the order in which they came.
type columnBook struct {
	table  *definition.Table
	legacy bool
	byID   map[string]*state.Column
	order  []string
	taken  map[string]string // in a legacy table: ID by published name, folded
}

func newColumnBook(t *definition.Table, legacy bool) *columnBook {
	return &columnBook{table: t, legacy: legacy, byID: map[string]*state.Column{}, taken: map[string]string{}}
}

// has notes a column that the table has.
func (b *columnBook) has(c state.Column) {
	id := b.table.ID(askedName(b.table, b.legacy, c))
	if b.legacy {
		b.taken[feed.Fold(c.Name)] = id
	}
	b.add(id, c)
}

// note notes a column that is delivered or wanted.
func (b *columnBook) note(c state.Column) { b.add(b.table.ID(c.Delivered), c) }

func (b *columnBook) add(id string, c state.Column) {
	k := b.byID[id]
	if k == nil {
		c.Spellings = slices.Clone(c.Spellings)
		b.byID[id] = &c
		b.order = append(b.order, id)
		return
	}
	k.Listed = k.Listed || c.Listed
	k.Seen = max(k.Seen, c.Seen)
	for _, name := range append([]string{c.Delivered}, c.Spellings...) {
		spell(k, name)
	}
}

// spell notes a spelling under which a column was delivered.
func spell(c *state.Column, name string) bool {
	if c.Delivered == name || slices.Contains(c.Spellings, name) {
		return false
	}
	c.Spellings = append(c.Spellings, name)
	return true
}

// publishedName is the name of a column that the configuration would publish as
// as. A legacy table keeps the names that it has, so that a new column may have to
// give way to one of them.
func (b *columnBook) publishedName(id, as string) string {
	if !b.legacy {
		return as
	}
	if k := b.byID[id]; k.Name != "" && b.table.KeepsName(askedName(b.table, true, *k), as, k.Name) {
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

// askedName is the delivered name that the configuration is to be asked about for a
// column of the state. In a legacy table a column that is published under the name
// of a key or a timestamp, in whatever case, is that one; and one that has the new
// name of a block is the block's, however it was spelled.
func askedName(t *definition.Table, legacy bool, c state.Column) string {
	if !legacy {
		return c.Delivered
	}
	if name := feed.Fold(c.Name); feed.IsExact(name) {
		return name
	}
	for _, label := range t.Renamed() {
		if feed.Key(label) == feed.Key(c.Delivered) && t.Column(label).As == c.Name {
			return label
		}
	}
	return c.Delivered
}

// mayFeed reports whether a field of that name may have fed a column that has one
// of its names: by the same name in whatever case, or by the Avro form.
func mayFeed(c state.Column, field string) bool {
	return feed.Key(c.Delivered) == feed.Key(field) || isAvroFormOf(c, field)
}

// isAvroFormOf reports whether a field is what the Avro writer makes of a name that
// the column was delivered by.
func isAvroFormOf(c state.Column, field string) bool {
	return slices.ContainsFunc(append([]string{c.Delivered}, c.Spellings...), func(name string) bool {
		return name != field && feed.AvroForm(name) == field
	})
}

// feeds returns the columns that a field of that name may have fed, payload indexes
// or targets, and whether one of those is left out.
func (s *schema) feeds(field string) (targets []int, dropped bool) {
	if t, ok := s.target(field); ok {
		targets = append(targets, t)
	}
	if s.legacy && (feed.Fold(field) == feed.UserID || feed.Fold(field) == s.key) {
		targets = append(targets, targetUser)
	}
	for i := range s.payload[:len(s.payload)-1] {
		if p := &s.payload[i]; s.legacy && feed.Fold(field) == p.fold || isAvroFormOf(p.Column, field) {
			targets = append(targets, i)
		}
	}
	id := s.table.ID(field)
	return targets, slices.ContainsFunc(s.dropped, func(c state.Column) bool {
		return s.table.ID(c.Delivered) == id || isAvroFormOf(c, field)
	})
}
