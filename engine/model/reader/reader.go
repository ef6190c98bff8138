// Package reader reads what a sink holds as a reader with a glob does, in the form of the
// model: for tests that compare the two.
//
// It promises that every row that a reader would count is there, once, with its
// partition and its columns united by name, and fails where a table holds a row twice.
// It never writes, and knows nothing of the state.
package reader

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reconcile/engine/model"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/parquet"
)

// Table is what the folder of a table holds.
type Table struct {
	Rows    map[string]model.Row // by key
	Columns []string             // of all files, in the order in which they come
}

// Read reads every *.parquet below the folder of a table. The columns of a table
// without files are those that are wanted; readers unite by name, so that a wanted one
// that only older files lack counts as there.
func Read(dir, table string, want *model.Table) (*Table, error) {
	t := &Table{Rows: map[string]model.Row{}, Columns: slices.Clone(want.Columns)}
	seen := false
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".parquet") {
			return err
		}
		if !seen {
			t.Columns, seen = nil, true
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		part := path.Dir(filepath.ToSlash(rel))
		if part == "." {
			part = ""
		}
		return t.Add(p, table, part)
	})
	if err != nil {
		return nil, err
	}
	for _, c := range want.Columns {
		if seen {
			t.addColumn(c)
		}
	}
	return t, nil
}

func (t *Table) addColumn(name string) {
	if !slices.Contains(t.Columns, name) {
		t.Columns = append(t.Columns, name)
	}
}

// Add reads one file of a partition.
func (t *Table) Add(p, table, part string) error {
	data, err := os.ReadFile(p)
	if err != nil {
		return err
	}
	f, err := parquet.Open(strings.NewReader(string(data)), int64(len(data)))
	if err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	var names []string
	for _, c := range f.Columns() {
		names = append(names, feed.Fold(c.Name))
		t.addColumn(feed.Fold(c.Name))
	}
	for g := range f.RowGroups() {
		b := &column.Batch{}
		if err := f.ReadRowGroup(g, f.Columns(), b); err != nil {
			return fmt.Errorf("read %s: %w", p, err)
		}
		for i := range b.N {
			row := rowOf(b, names, i)
			row.Partition = part
			key := keyOf(table, names, row)
			if _, twice := t.Rows[key]; twice {
				return fmt.Errorf("table %s holds row %s twice", table, key)
			}
			t.Rows[key] = row
		}
	}
	return nil
}

func rowOf(b *column.Batch, names []string, i int) model.Row {
	row := model.Row{Values: map[string]*string{}}
	for c := range b.Cols {
		if !b.Cols[c].IsNull(i) {
			row.Values[names[c]] = model.Text(TextOf(&b.Cols[c], i))
		}
	}
	return row
}

// TextOf is the text that the model uses for a value.
func TextOf(c *column.Column, i int) string {
	if c.Type.ID == column.Timestamp {
		return time.UnixMilli(c.Ints[i]).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return string(column.AppendText(nil, c, i))
}

// keyOf is the key by which the model knows a row. The key of events comes second.
func keyOf(table string, names []string, row model.Row) string {
	value := func(name string) string {
		if v := row.Values[name]; v != nil {
			return *v
		}
		return "null"
	}
	switch table {
	case "users":
		return value("user_id")
	case "user_migrations":
		return value("from_user_id")
	}
	return value(names[1]) + "/" + value("user_id")
}
