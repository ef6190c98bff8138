package engine

import (
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/internal/column"
	"reconcile/state"
)

// seen is the table's record as far as its files tell it.
func (l *lakeTable) seen(columns []column.Column) *state.Table {
	has := func(name string) bool {
		return slices.ContainsFunc(columns, func(c column.Column) bool { return c.Name == name })
	}
	out := &state.Table{Name: l.name, Kind: kindEvents, Key: colEventID, ExactNames: true}
	switch {
	case l.name == tableUsers:
		out.Kind, out.Key = kindUsers, colUserID
	case l.name == tableMapping:
		out.Kind, out.Key = kindMapping, colFrom
		return out
	case l.name == tableSessions || !has(colEventID):
		out.Key = colSessionID
	}
	for _, c := range columns {
		if !ownColumn(c.Name) && c.Name != colUserID && c.Name != out.Key {
			out.Columns = append(out.Columns, state.Column{Name: c.Name, Delivered: c.Name, Type: c.Type.String()})
		}
	}
	return out
}

// ownColumn reports whether a published column is one of ours.
func ownColumn(name string) bool {
	return slices.Contains([]string{colRawUser, colDump, colRescued, colCanonical}, name)
}

// record is the table's record as far as the lake tells it. Its columns keep the spelling
// that they have there. Where dumps are gone, so are the manifests that list them: then
// what the files have is what was delivered.
func (l *lakeTable) record(t *TablePlan, columns []column.Column) *state.Table {
	out := l.seen(columns)
	out.Kind, out.Key = t.kind, t.key
	for i := range out.Columns {
		c := &out.Columns[i]
		c.Delivered = deliveredAs(t.cfg, c.Name)
		c.Listed, c.Mask = len(t.all) < len(l.entry.Dumps), string(t.cfg.Column(c.Delivered).Mask)
	}
	dumps := slices.Clone(l.entry.Dumps)
	lost := l.entry.Resync != nil && !slices.Contains(dumps, *l.entry.Resync)
	if lost {
		dumps = append(dumps, *l.entry.Resync)
	}
	slices.Sort(dumps)
	for _, d := range dumps {
		resync := l.entry.Resync != nil && d == *l.entry.Resync
		a := state.Applied{Dump: d, Incremental: !resync, Lost: resync && lost}
		if i := t.deliveryOf(d); i >= 0 {
			a.Digest, a.Incremental = t.all[i].entry.Digest, t.all[i].entry.Incremental
		}
		out.Applied = append(out.Applied, a)
	}
	return out
}

// deliveredAs is the delivered name of a column that is published under a name, as far as
// the configuration tells it.
func deliveredAs(t *config.Table, published string) string {
	for _, name := range append(t.Renamed(), published, strings.TrimSuffix(published, "_")) {
		if name != "" && t.Column(name).As == published {
			return name
		}
	}
	return published
}
