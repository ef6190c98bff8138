package engine

import (
	"fmt"
	"slices"

	"reconcile/engine/exec"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/internal/near"
)

// survey is what the header of a file says that only the file tells: its manifest
// need not list keys and timestamps, nor spell names as the file does.
type survey struct {
	unlisted []string    // keys and timestamps that the table has, or would have
	spelled  [][2]string // ID of a column, and another spelling of it
	late     []string    // names that feed columns which the schema lacks
	refused  string      // key or timestamp outside of the columns of a frozen table
}

// surveyOf compares the fields of a shape with a schema.
func surveyOf(f *shape, s *schema) *survey {
	out := &survey{}
	for _, field := range f.head.Fields() {
		name, listed := f.meant(field.Name, s)
		if !listed {
			continue
		}
		exact := feed.IsExact(name)
		target, known := s.Target(name)
		switch {
		case known && target < 0:
			continue
		case !s.Table.Takes(name):
			if exact && f.hasColumns && !f.lists(name) && s.Table.OnSchemaChange == definition.Freeze {
				out.refused = name
			}
			continue
		case known:
			if s.Payload[target].Delivered != field.Name {
				out.spelled = append(out.spelled, [2]string{s.Payload[target].ID, field.Name})
			}
		case !s.Drops(name):
			out.late = append(out.late, name)
		}
		if exact && f.hasColumns && !f.lists(name) {
			out.unlisted = append(out.unlisted, name)
		}
	}
	return out
}

// lists reports whether the manifest's list has a name in this very spelling.
func (f *shape) lists(name string) bool { return f.listing(name) == name }

// lateColumns says that a file has columns of the table that nothing told of before.
type lateColumns struct{ columns []exec.LateColumn }

func (e *lateColumns) Error() string {
	return fmt.Sprintf("dump %d has columns that were not expected, as %s", e.columns[0].Dump, e.columns[0].Name)
}

// lateIn returns the error that says so of a file, nil if it has none. A manifest that
// lists another spelling does not list such a column: only the file brings it.
func (s *survey) lateIn(f sourceFile) error {
	if len(s.late) == 0 {
		return nil
	}
	e := &lateColumns{}
	for _, name := range s.late {
		e.columns = append(e.columns, exec.LateColumn{Name: name, Dump: f.dump, Listed: f.hasColumns && slices.Contains(f.columns, name)})
	}
	return e
}

// keyError is a part file with rows that lacks a key of its table.
type keyError struct{ key, near string }

func (e *keyError) Error() string {
	hint := ""
	if e.near != "" {
		hint = fmt.Sprintf(" (its field %s is another property: names of keys are exact)", e.near)
	}
	return fmt.Sprintf("it has rows, but no field %s, which is a key of the table%s", e.key, hint)
}

// newKeyError describes fields that lack a key.
func newKeyError(key string, fields []string) *keyError { return &keyError{key, near.Key(key, fields)} }
