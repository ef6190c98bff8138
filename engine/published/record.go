package published

import (
	"maps"
	"slices"
	"strings"

	"reconcile/engine/planner"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// Seen is the table's record as far as its files tell it.
func (l *Table) Seen(columns []column.Column) *state.Table {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	out := &state.Table{Name: l.Name, ExactNames: true}
	out.Kind, out.Key, _ = feed.Identify(l.Name, names)
	if out.Kind == feed.KindMapping {
		return out
	}
	for _, c := range columns {
		if !feed.IsOurs(c.Name) && c.Name != feed.UserID && c.Name != out.Key {
			out.Columns = append(out.Columns, state.Column{Name: c.Name, Delivered: c.Name, Type: c.Type.String()})
		}
	}
	return out
}

// Record is the table's record as far as the lake tells it. Its columns keep the spelling
// that they have there. Where dumps are gone, so are the manifests that list them: then
// what the files have is what was delivered.
func (l *Table) Record(t *planner.Table, columns []column.Column) *state.Table {
	out := l.Seen(columns)
	out.Kind, out.Key = t.Kind, t.Key
	for i := range out.Columns {
		c := &out.Columns[i]
		c.Delivered = deliveredAs(t.Definition, c.Name)
		c.Listed, c.Mask = len(t.All) < len(l.Entry.Dumps), string(t.Definition.Column(c.Delivered).Mask)
	}
	dumps := slices.Clone(l.Entry.Dumps)
	lost := l.Entry.Resync != nil && !slices.Contains(dumps, *l.Entry.Resync)
	if lost {
		dumps = append(dumps, *l.Entry.Resync)
	}
	slices.Sort(dumps)
	for _, d := range dumps {
		resync := l.Entry.Resync != nil && d == *l.Entry.Resync
		a := state.Applied{Dump: d, Incremental: !resync, Lost: resync && lost}
		if i := t.DeliveryOf(d); i >= 0 {
			a.Digest, a.Incremental = t.All[i].Entry.Digest, t.All[i].Entry.Incremental
		}
		out.Applied = append(out.Applied, a)
	}
	return out
}

// deliveredAs is the delivered name of a column that is published under a name, as far as
// the configuration tells it.
func deliveredAs(t *definition.Table, published string) string {
	for _, name := range slices.Concat(t.Renamed, []string{published, strings.TrimSuffix(published, "_")}) {
		if name != "" && t.Column(name).As == published {
			return name
		}
	}
	return published
}

// Placed is a record of the table that says where it is and nothing else.
func (l *Table) Placed() *state.Table {
	t := &state.Table{Name: l.Name}
	for _, root := range slices.Sorted(maps.Keys(l.Folders)) {
		t.Sinks = append(t.Sinks, state.SinkTable{Root: root, Folder: l.Folders[root]})
	}
	return t
}
