package ingest

import (
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rules"
)

// LateColumns says that a file has columns of the table that nothing told of before.
type LateColumns struct{ Columns []exec.LateColumn }

// Error names the first of the columns.
func (e *LateColumns) Error() string {
	return fmt.Sprintf("dump %d has columns that were not expected, as %s", e.Columns[0].Dump, e.Columns[0].Name)
}

// lateIn returns the error that says so of a file, nil if it has none. A manifest that
// lists another spelling does not list such a column: only the file brings it.
func lateIn(s *rules.Survey, f File) error {
	if len(s.Late) == 0 {
		return nil
	}
	e := &LateColumns{}
	for _, name := range s.Late {
		e.Columns = append(e.Columns, exec.LateColumn{Name: name, Dump: f.Dump, Listed: f.HasColumns && slices.Contains(f.Columns, name)})
	}
	return e
}
