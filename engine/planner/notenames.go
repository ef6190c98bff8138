package planner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
)

// noteNames says in the plan what comes of names that are hard to tell when they
// first arrive: those that give way to another, and spellings of one column.
func noteNames(ctx context.Context, p *Session, t *Table) error {
	if len(t.Pending) == 0 {
		return nil
	}
	columns := rules.NewColumnRegistry(t.Definition, t.Old != nil && !t.Old.ExactNames)
	for _, c := range columnsOf(t.Old) {
		columns.Has(c)
	}
	var last []string
	for _, d := range t.Pending {
		names := namesOf(t, d)
		if sameList(names, last) {
			continue
		}
		last = names
		for _, n := range names {
			if note := addedNameText(n, columns.AddDelivered(n)); note != "" {
				t.notes = append(t.notes, note)
			}
		}
		if err := noteRivals(ctx, p, t, d); err != nil {
			return err
		}
	}
	return nil
}

// addedNameText is what is to be said of a name that arrives.
func addedNameText(name string, m rules.AddedName) string {
	switch {
	case m.YieldsAs != "":
		return fmt.Sprintf("%q is a property of its own and is published as %q: the table uses the name otherwise (those of keys and timestamps are exact)", name, m.YieldsAs)
	case m.Spells != "":
		return fmt.Sprintf("%q and %q are two spellings of one column: of a row that has both, the last in the manifest's columns that has a value counts; column %q { as = \"...\" } parts them", m.Spells, name, name)
	}
	return ""
}

// noteRivals names listed names of a delivery that claim one field.
func noteRivals(ctx context.Context, p *Session, t *Table, d Delivery) error {
	if !d.Entry.HasColumns || !partfile.MayRival(d.Entry.Columns) {
		return nil
	}
	_, rivals, err := partfile.ClaimsOf(ctx, p.Source, d.Entry.Columns, d.Entry.Files.All())
	var bad *partfile.FileError
	if errors.As(err, &bad) {
		err = bad.Err
	}
	if err != nil && !dump.Unavailable(err) {
		return nil // the file holds the table where it is read
	}
	for _, r := range rivals {
		t.notes = append(t.notes, fmt.Sprintf("the manifest of dump %d lists %q and %q, which are both the field %q: the first has it, the other is null", d.Dump, r.Owner, r.Name, r.Field))
	}
	return err
}

// notesOf are what there is to say of tables, each text once with the tables that it is of.
func notesOf(tables []*Table) []string {
	var texts []string
	by := map[string][]string{}
	for _, t := range tables {
		for _, note := range t.notes {
			if by[note] == nil {
				texts = append(texts, note)
			}
			by[note] = append(by[note], t.Name)
		}
	}
	for i, text := range texts {
		names := by[text]
		texts[i] = fmt.Sprintf("%s %s: %s", amount.Verb(len(names), "table", "tables"), strings.Join(amount.Few(names), ", "), text)
	}
	return texts
}
