package config

import (
	"cmp"
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// How delivered names become columns of a table, and which column blocks and masks
// they meet.

// ID tells the columns of the table apart: delivered names with one ID are
// spellings of one column. A block with "as" takes its own spelling alone, and
// parts it from the others.
func (t *Table) ID(delivered string) string {
	key := feed.Key(delivered)
	taker := t.taker(delivered)
	if taker != nil {
		key = feed.Key(taker.name)
	}
	switch n := t.takers(key); {
	case taker != nil && n == 1:
		return key
	case taker != nil:
		return key + "\x00" + taker.name
	case n > 0:
		return key + "\x00"
	}
	return key
}

// taker is the block with "as" that takes a delivered name, nil without one.
func (t *Table) taker(delivered string) *columnBlock {
	if len(t.renamed) == 0 || protected(delivered) {
		return nil
	}
	for _, label := range []string{delivered, feed.AvroForm(delivered)} {
		for _, b := range t.columns {
			if b.as != nil && b.name == label {
				return b
			}
		}
	}
	return nil
}

// takers counts the labels of blocks with "as" that have one key.
func (t *Table) takers(key string) int {
	n := 0
	for _, label := range t.renamed {
		if feed.Key(label) == key {
			n++
		}
	}
	return n
}

// Renamed returns the labels of the column blocks with "as", sorted.
func (t *Table) Renamed() []string { return slices.Clone(t.renamed) }

// renamedBy lists the labels of blocks with "as", sorted.
func renamedBy(blocks []*columnBlock) []string {
	var out []string
	for _, b := range blocks {
		if b.as != nil {
			out = append(out, b.name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Renames reports whether a block with "as" takes a delivered name.
func (t *Table) Renames(delivered string) bool { return t.taker(delivered) != nil }

// TakenBy reports whether a label of Renamed is of the name that a delivered
// column has: the same, in another spelling, or its Avro form.
func TakenBy(label, delivered string) bool {
	return feed.Key(label) == feed.Key(delivered) || label == feed.AvroForm(delivered)
}

// ownName is the name of a delivered column that no block renames: its own, with
// one more "_" if it is, without case and trailing underscores, a name that the
// table uses otherwise.
func (t *Table) ownName(delivered string) string {
	if !protected(delivered) && t.uses(feed.Plain(delivered)) {
		return delivered + "_"
	}
	return delivered
}

// uses reports whether the table has a column of that name, in lower case and
// without trailing underscores, whatever is delivered.
func (t *Table) uses(plain string) bool {
	return protected(plain) || reserved(plain) || slices.Contains(t.Partition.Levels(), plain) ||
		slices.ContainsFunc(t.columns, func(b *columnBlock) bool { return b.as != nil && fold(b.as.value) == plain })
}

// Yields reports whether a delivered name gets one more "_" as the table uses it
// otherwise.
func (t *Table) Yields(delivered string) bool {
	return t.published(delivered) != delivered && t.taker(delivered) == nil
}

// KeepsName reports whether two published names of a delivered column differ by
// what the table uses otherwise, and are no renaming.
func (t *Table) KeepsName(delivered, a, b string) bool {
	plain := feed.Plain(delivered)
	return t.taker(delivered) == nil && t.uses(plain) && feed.Plain(a) == plain && feed.Plain(b) == plain
}

// published is the name that a delivered column gets.
func (t *Table) published(delivered string) string {
	if b := t.taker(delivered); b != nil {
		return b.as.value
	}
	return t.ownName(delivered)
}

// meets reports whether a block is for a delivered column. One with "as" is for
// its spelling alone. Any other is for all spellings of what its label names: as
// listed, as the Avro writer makes of it, or as published but for renaming.
func (t *Table) meets(b *columnBlock, delivered string) bool {
	if b.as != nil {
		taker := t.taker(delivered)
		return taker != nil && taker.name == b.name
	}
	key := feed.Key(b.name)
	if protected(b.name) || protected(delivered) {
		return b.name == delivered
	}
	return key == feed.Key(delivered) || key == feed.Key(feed.AvroForm(delivered)) || fold(b.name) == fold(t.ownName(delivered))
}

// settings are what the column blocks say of a delivered column: the more specific
// table first, and in one table the block that takes this spelling alone. No block
// weakens the mask of another.
func (t *Table) settings(delivered string) columnBlock {
	if len(t.columns) == 0 {
		return columnBlock{}
	}
	var blocks []*columnBlock
	for _, b := range t.columns {
		if t.meets(b, delivered) {
			blocks = append(blocks, b)
		}
	}
	alone := func(b *columnBlock) int {
		if b.as != nil {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(blocks, func(a, b *columnBlock) int {
		return cmp.Or(a.level-b.level, alone(a)-alone(b))
	})
	var out columnBlock
	for _, b := range blocks {
		out.as, out.typ, out.merge, out.mask = first(out.as, b.as), first(out.typ, b.typ), first(out.merge, b.merge), first(out.mask, b.mask)
		out.unit, out.round = first(out.unit, b.unit), first(out.round, b.round)
		out.mistyped = out.mistyped || b.mistyped
	}
	return out
}

// naturalType is the type that a delivered column has without a declared one.
func naturalType(name string) column.Type {
	switch {
	case isID(name):
		return column.Type{ID: column.Int64}
	case isTimestamp(name):
		return column.Type{ID: column.Timestamp}
	}
	return column.Type{}
}

// protected reports whether a delivered column is a key or a timestamp, which
// cannot be masked, dropped, retyped or renamed.
func protected(name string) bool { return feed.IsExact(name) }

func isID(name string) bool { return feed.IsID(name) }

func isTimestamp(name string) bool { return feed.IsTimestamp(name) }

// reserved reports whether a name is that of a column which reconcile adds.
func reserved(name string) bool { return feed.IsOurs(name) }

// fold is how names are compared: without case.
func fold(name string) string { return feed.Fold(name) }
