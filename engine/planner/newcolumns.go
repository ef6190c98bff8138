package planner

import (
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

// planColumns finds the columns that the pending dumps bring to a table, and what masks of
// the configuration make of them. It goes by the names that manifests list and, where one
// lists none, those of the files: what else is in a file only its apply finds.
func planColumns(t *Table) {
	t.NewColumns, t.NewMasks = nil, nil
	if len(t.Pending) == 0 || t.Kind == feed.KindMapping {
		return
	}
	legacy := t.Old != nil && !t.Old.ExactNames
	have := columnsOf(t.Old)
	brought, fresh := broughtColumns(t, have, legacy)
	if len(fresh) == 0 {
		return // as mostly
	}
	for _, c := range rules.NewSchema(t.Definition, t.Kind, t.Key, have, brought, t.Floor, legacy).Columns() {
		if !fresh[c.ID] {
			continue
		}
		name := c.Name
		if c.Mask == definition.MaskDrop {
			name = c.Delivered
		} else {
			t.NewColumns = append(t.NewColumns, name)
		}
		if c.Mask != definition.MaskNone {
			t.NewMasks = append(t.NewMasks, plan.ColumnMask{Column: name, Method: string(c.Mask)})
		}
	}
}

// broughtColumns are the names that pending dumps bring, and which columns of them the table
// does not have, by their IDs. Of a void dump only what its manifest lists counts.
func broughtColumns(t *Table, have []rules.Column, legacy bool) (brought []rules.Delivered, fresh map[string]bool) {
	known := map[string]bool{}
	for _, c := range have {
		known[t.Definition.ID(rules.AskedName(t.Definition, legacy, c.Delivered, c.Name))] = true
	}
	fresh = map[string]bool{}
	var last []string
	for _, d := range t.Pending {
		names := namesOf(t, d)
		if sameList(names, last) || !d.Entry.HasColumns && !t.Floor.Live(d.Dump) {
			continue
		}
		last = names
		for _, n := range names {
			brought = append(brought, rules.Delivered{Name: n, Dump: d.Dump, Listed: d.Entry.HasColumns})
			if id := t.Definition.ID(n); !known[id] && id != feed.UserID && id != t.Key {
				fresh[id] = true
			}
		}
	}
	return brought, fresh
}

// namesOf are the names of what a delivery brings: those of its manifest's list, or, where
// there is none, of its files.
func namesOf(t *Table, d Delivery) []string {
	if d.Entry.HasColumns {
		return d.Entry.Columns
	}
	return t.fields[d.Dump]
}

// columnsOf are the columns of a record as far as names and masks go: their types do not
// matter.
func columnsOf(old *state.Table) []rules.Column {
	if old == nil {
		return nil
	}
	out := make([]rules.Column, 0, len(old.Columns))
	for _, c := range old.Columns {
		out = append(out, rules.Column{Name: c.Name, Delivered: c.Delivered, Since: c.Since, Mask: definition.MaskMethod(c.Mask), Verifier: c.Verifier,
			Merge: c.Merge, Listed: c.Listed, Seen: c.Seen, Spellings: c.Spellings})
	}
	return out
}
