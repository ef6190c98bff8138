package verify

import (
	"fmt"
	"slices"

	"reconcile/engine/lake"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// applied is a table as the state says that it is: not as the configuration wants it, which
// may have been edited since.
type applied struct {
	record *state.Table
	parts  []*state.Partition
	table  *definition.Table
	// schema is that of its rows as they are published, read that by which they are read:
	// all columns, the user and the key first, are payload there.
	schema *rules.Schema
	read   *rules.Schema
	layout *rules.Layout
	// columns are those of the payload that are compared, by their index there; with them
	// _rescued_data.
	columns []int
	floor   rules.Floor
}

// The places of user and key among the columns that are read; the payload follows.
const (
	userAt = 0
	keyAt  = 1 // of events
)

// first is the place of the payload among the columns that are read.
func (a *applied) first() int { return len(a.read.Payload) - len(a.schema.Payload) }

// newApplied makes the view of a table with that partitioning. Columns whose mask has no key
// are left out, with the reason.
func newApplied(t *state.Table, parts []*state.Partition, partition definition.Partition, key func(verifier string) []byte) (*applied, map[string]string, error) {
	a := &applied{record: t, parts: parts, floor: rules.Live(lake.StandingDumps(t))}
	a.table = definitionOf(t, partition)
	if t.Kind == feed.KindMapping {
		return a, nil, nil
	}
	a.schema = &rules.Schema{Kind: t.Kind, Key: t.Key, KeyName: t.Key, UserName: feed.UserID, Table: a.table, Partition: partition, PartitionColumn: -1}
	for _, c := range t.Columns {
		known, err := a.column(c)
		switch {
		case err != nil:
			return nil, nil, err
		case known.Mask == definition.MaskDrop:
			a.schema.Dropped = append(a.schema.Dropped, known)
		default:
			a.schema.Payload = append(a.schema.Payload, known)
		}
	}
	a.schema.Payload = append(a.schema.Payload, rules.Column{Name: feed.RescuedData, ID: feed.RescuedData})
	a.schema.Prepare()
	if partition.Unit != definition.UnitNone {
		a.schema.PartitionColumn = a.schema.ByID(a.table.ID(partition.Column))
	}
	a.layout = a.schema.Published()
	a.read = readSchema(a.schema)
	without := map[string]string{}
	for i := range a.schema.Payload {
		c := &a.schema.Payload[i]
		if c.Mask == definition.MaskHMAC && len(key(c.Verifier)) == 0 {
			without[c.Name] = "the configuration has not the key of its mask"
			continue
		}
		a.columns = append(a.columns, i)
	}
	return a, without, nil
}

// definitionOf is what names mean in a table as it was made.
func definitionOf(t *state.Table, p definition.Partition) *definition.Table {
	out := &definition.Table{Name: t.Name, Kind: t.Kind, Key: t.Key, Partition: p, PartitionBy: t.PartitionBy, OnSchemaChange: definition.Evolve,
		OnCastError: t.OnCastError, Renamed: t.Renamed}
	for _, label := range t.Renamed {
		out.Blocks = append(out.Blocks, definition.Block{Name: label, As: label})
	}
	out.Prepare()
	return out
}

// column is a column of the state as rows are read into it.
func (a *applied) column(c state.Column) (rules.Column, error) {
	out := rules.Column{Name: c.Name, Delivered: c.Delivered, ID: a.table.ID(c.Delivered), Mask: definition.MaskMethod(c.Mask), Verifier: c.Verifier,
		Merge: c.Merge, Since: c.Since, Listed: c.Listed, Seen: c.Seen, Spellings: slices.Clone(c.Spellings)}
	if out.Mask != definition.MaskNone {
		return out, nil
	}
	typ, err := column.ParseType(c.Type)
	if err != nil {
		return out, fmt.Errorf("column %s in the state: %w", c.Name, err)
	}
	out.Type = typ
	out.Rule = column.Rule{Type: typ, Event: feed.IsTimestamp(c.Delivered), HalfEven: c.Round != ""}
	if c.TimeUnit != "" {
		unit, ok := column.ParseTimeUnit(c.TimeUnit)
		if !ok {
			return out, fmt.Errorf("column %s in the state: there is no unit %q", c.Name, c.TimeUnit)
		}
		out.Rule.Unit = unit
	}
	return out, nil
}

// readSchema is the schema by which rows are read: nothing is left to a path that only
// applies take.
func readSchema(s *rules.Schema) *rules.Schema {
	out := &rules.Schema{Kind: feed.KindMapping, Table: s.Table, PartitionColumn: -1, Dropped: s.Dropped}
	out.Payload = append(out.Payload, rules.KeyColumn(feed.UserID))
	if s.Kind == feed.KindEvents {
		out.Payload = append(out.Payload, rules.KeyColumn(s.Key))
	}
	out.Payload = append(out.Payload, s.Payload...)
	out.Prepare()
	return out
}

// wanted are the columns of a data file that are compared, behind those that tell the row.
func (a *applied) wanted() []column.Column {
	cols := []column.Column{a.layout.Columns[a.layout.User]}
	if a.schema.Kind == feed.KindEvents {
		cols = append(cols, a.layout.Columns[a.layout.Key], a.layout.Columns[a.layout.RawUser])
	}
	cols = append(cols, a.layout.Columns[a.layout.Dump])
	for _, i := range a.columns {
		cols = append(cols, a.layout.Columns[a.layout.PayloadAt(i)])
	}
	return cols
}

// knows reports whether a data file of the table may have a column.
func (a *applied) knows(name string) bool {
	return slices.ContainsFunc(a.layout.Columns, func(c column.Column) bool { return c.Name == name })
}
