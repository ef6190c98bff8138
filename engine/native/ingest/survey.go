package ingest

import (
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/near"
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

// keyError is a part file with rows that lacks a key of its table.
type keyError struct{ key, near string }

// Error says which key is lacking.
func (e *keyError) Error() string {
	hint := ""
	if e.near != "" {
		hint = fmt.Sprintf(" (its field %s is another property: names of keys are exact)", e.near)
	}
	return fmt.Sprintf("it has rows, but no field %s, which is a key of the table%s", e.key, hint)
}

// newKeyError describes fields that lack a key.
func newKeyError(key string, fields []string) *keyError { return &keyError{key, near.Key(key, fields)} }
