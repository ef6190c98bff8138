package planner

import (
	"fmt"

	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/feed"
)

// width counts the columns of a table, so that deliveries are held that bring too many.
type width struct {
	t       *Table
	columns map[string]bool // by ID; nil where all that is known are few enough
}

func newWidth(t *Table) *width {
	w := &width{t: t}
	if len(t.Known)+len(t.Definition.Columns) > feed.MostColumns {
		w.columns = map[string]bool{}
		w.add(stateNames(t.Old))
		w.add(t.Definition.Columns)
	}
	return w
}

// add adds the columns of names that the table takes, and returns those that it did not
// have.
func (w *width) add(names []string) (fresh []string) {
	for _, name := range names {
		if id := w.t.Definition.ID(name); !w.columns[id] && w.t.Definition.Takes(name) {
			w.columns[id] = true
			fresh = append(fresh, id)
		}
	}
	return fresh
}

// take adds the columns of a delivery, or returns why it holds its table.
func (w *width) take(d *Delivery) *plan.Hold {
	if w.columns == nil || d.Entry.Problem != "" {
		return nil
	}
	fresh := w.add(namesOf(w.t, *d))
	n := len(w.columns)
	if n <= feed.MostColumns {
		return nil
	}
	for _, id := range fresh {
		delete(w.columns, id)
	}
	return &plan.Hold{Table: w.t.Name, Dump: d.Dump,
		Reason: fmt.Sprintf("the dump brings %s, with which the table would have %s, and it may have %s", amount.Of(len(fresh), "column"), amount.Number(n), amount.Number(feed.MostColumns))}
}
