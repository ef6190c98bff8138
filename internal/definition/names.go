package definition

import (
	"cmp"
	"slices"

	"reconcile/internal/feed"
)

// How delivered names become columns of a table, and which column blocks match them.

// ID tells the columns of the table apart: delivered names with one ID are
// spellings of one column. A block with As takes its own spelling alone, and
// parts it from the others.
func (t *Table) ID(delivered string) string {
	key := feed.Key(delivered)
	taker := t.taker(delivered)
	if taker != nil {
		key = feed.Key(taker.Name)
	}
	switch n := t.takers(key); {
	case taker != nil && n == 1:
		return key
	case taker != nil:
		return key + "\x00" + taker.Name
	case n > 0:
		return key + "\x00"
	}
	return key
}

// taker is the block with As that takes a delivered name, nil without one.
func (t *Table) taker(delivered string) *Block {
	if len(t.Renamed) == 0 || feed.IsExact(delivered) {
		return nil
	}
	for _, label := range []string{delivered, feed.AvroForm(delivered)} {
		if list := t.index().renaming[label]; len(list) > 0 {
			return &t.Blocks[list[0]]
		}
	}
	return nil
}

// takers counts the labels of blocks with As that have one key.
func (t *Table) takers(key string) int {
	if len(t.Renamed) == 0 {
		return 0
	}
	return t.index().renamed[key]
}

// Renames reports whether a block with As takes a delivered name.
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
	if !feed.IsExact(delivered) && t.uses(feed.Plain(delivered)) {
		return delivered + "_"
	}
	return delivered
}

// uses reports whether the table has a column of that name, in lower case and
// without trailing underscores, whatever is delivered.
func (t *Table) uses(plain string) bool {
	if feed.IsExact(plain) || feed.IsOurs(plain) || slices.Contains(t.Partition.Levels(), plain) {
		return true
	}
	return len(t.Renamed) > 0 && t.index().newNames[plain]
}

// Yields reports whether a delivered name gets one more "_" as the table uses it
// otherwise.
func (t *Table) Yields(delivered string) bool {
	return t.taker(delivered) == nil && t.ownName(delivered) != delivered
}

// KeepsName reports whether two published names of a delivered column differ by
// what the table uses otherwise, and are no renaming.
func (t *Table) KeepsName(delivered, a, b string) bool {
	plain := feed.Plain(delivered)
	return t.taker(delivered) == nil && t.uses(plain) && feed.Plain(a) == plain && feed.Plain(b) == plain
}

// Published is the name that a delivered column gets.
func (t *Table) Published(delivered string) string {
	if b := t.taker(delivered); b != nil {
		return b.As
	}
	return t.ownName(delivered)
}

// Takes reports whether the table has a delivered column. Under Evolve it has
// them all; otherwise those of the list, and always its key columns and what
// tells which row of a user is the latest.
func (t *Table) Takes(delivered string) bool {
	if t.OnSchemaChange == Evolve || delivered == feed.UserID || delivered == t.Key || t.Kind == feed.KindUsers && delivered == feed.LastModified {
		return true
	}
	x := t.index()
	return x.listedKeys[feed.Key(delivered)] || x.listedFolds[feed.Fold(t.ownName(delivered))]
}

// Lists reports whether a name of the explicit list is for a delivered column.
func (t *Table) Lists(name, delivered string) bool {
	return feed.Key(name) == feed.Key(delivered) || !feed.IsExact(name) && feed.Fold(name) == feed.Fold(t.ownName(delivered))
}

// BlockMatches reports whether the block at an index is for a delivered column.
func (t *Table) BlockMatches(block int, delivered string) bool {
	return slices.Contains(t.matching(delivered), block)
}

// matching returns the indexes of the blocks that are for a delivered column, sorted. One
// with As is for its spelling alone. Any other is for all spellings of what its label
// names: as listed, as the Avro writer makes of it, or as published but for renaming.
func (t *Table) matching(delivered string) []int {
	if len(t.Blocks) == 0 {
		return nil
	}
	x := t.index()
	var out []int
	if taker := t.taker(delivered); taker != nil {
		out = append(out, x.renaming[taker.Name]...)
	}
	if feed.IsExact(delivered) {
		out = append(out, x.exact[delivered]...)
	} else {
		out = slices.Concat(out, x.byKey[feed.Key(delivered)], x.byKey[feed.Key(feed.AvroForm(delivered))], x.byFold[feed.Fold(t.ownName(delivered))])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// BlocksOf returns the indexes of the blocks that are for a delivered column, in the
// order in which they count: the more specific table block first, and in one the
// column block that takes this spelling alone.
func (t *Table) BlocksOf(delivered string) []int {
	out := t.matching(delivered)
	alone := func(i int) int {
		if t.Blocks[i].As != "" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Or(t.Blocks[a].Level-t.Blocks[b].Level, alone(a)-alone(b))
	})
	return out
}
