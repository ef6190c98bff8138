package enginetest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/config"
	"reconcile/engine/inspect"
	"reconcile/engine/model"
	"reconcile/engine/model/reader"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// Comparison is what a lake should be: what the model makes of dumps.
type Comparison struct {
	Config    *config.Config
	Dumps     []*model.Dump    // that count
	Delivered []*model.Dump    // those, and those that are skipped
	Mapping   *model.Dump      // whose mapping counts, nil for none
	Lost      map[string]int64 // tables whose dumps up to one are lost
	Except    []string         // tables that are left out
	// Applied are the dumps of Delivered that each table has; nil where they follow from Dumps.
	Applied map[string][]int64
	// Folder is the folder of a sink with a root.
	Folder func(root string) string
	// Inspect reads the state.
	Inspect func() *inspect.Reader
}

// Tables are the names of the tables that the dumps bring.
func (c *Comparison) Tables() []string { return (&model.World{Dumps: c.Dumps}).Tables() }

// Want is what a table should be, nil if the configuration does not have it. That the
// table cannot be is an error.
func (c *Comparison) Want(t *testing.T, name string) (*definition.Table, *model.Table, error) {
	t.Helper()
	table, diags := c.Config.Table(name, Columns(c.Delivered, name))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if table == nil {
		return nil, nil, nil
	}
	s := model.FromDefinition(table, c.Config.MaskKey)
	left := slices.DeleteFunc(slices.Clone(c.Dumps), func(d *model.Dump) bool { last, ok := c.Lost[name]; return ok && d.ID <= last })
	set, _ := model.AppliedFor(left, name, s)
	if c.Applied != nil {
		set = slices.DeleteFunc(slices.Clone(c.Delivered), func(d *model.Dump) bool { return !slices.Contains(c.Applied[name], d.ID) })
	}
	want, err := model.Expect(set, c.Mapping, s, name)
	return table, want, err
}

// Check fails if a table is not what it should be. One that cannot be is held.
func (c *Comparison) Check(t *testing.T) {
	t.Helper()
	for _, name := range c.Tables() {
		if slices.Contains(c.Except, name) {
			continue
		}
		table, want, err := c.Want(t, name)
		if table == nil || err != nil {
			continue
		}
		diff := c.diffQuarantine(t, name, want)
		for _, sink := range table.Sinks {
			got, err := reader.Read(filepath.Join(c.Folder(sink.Path), table.Folder), name, want)
			if err != nil {
				t.Fatal(err)
			}
			diff = append(append(diff, want.Diff(got.Rows)...), want.DiffColumns(got.Columns)...)
		}
		if len(diff) > 0 {
			t.Fatalf("table %s is not what it should be:\n%s\n\nthe model:\n%s\nthe dumps:\n%s", name, strings.Join(diff, "\n"), want, &model.World{Dumps: c.Dumps})
		}
	}
}

// diffQuarantine compares the quarantined rows of a table with the model's.
func (c *Comparison) diffQuarantine(t *testing.T, name string, want *model.Table) []string {
	t.Helper()
	var got, expected []string
	for _, q := range want.Quarantine {
		expected = append(expected, fmt.Sprintf("dump %d, %s, row %d", q.Dump, q.File, q.Row))
	}
	shown, err := c.Inspect().Show(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(shown.Tables, func(t inspect.Table) bool { return t.Name == name }) {
		err = c.Inspect().Quarantine(t.Context(), name, func(q inspect.Row) error {
			got = append(got, fmt.Sprintf("dump %d, %s, row %d", q.Dump, q.File, q.Row))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(expected)
	if slices.Equal(got, expected) {
		return nil
	}
	return []string{fmt.Sprintf("quarantined are %q instead of %q", got, expected)}
}

// Columns lists the columns that dumps deliver of a table.
func Columns(dumps []*model.Dump, table string) []string {
	var out []string
	for _, d := range dumps {
		for _, e := range d.Entries {
			if e.Table != table {
				continue
			}
			out = append(out, e.Columns...)
			for _, f := range e.Files {
				for _, field := range f.Fields {
					if e.Columns == nil || feed.IsExact(field.Name) {
						out = append(out, field.Name)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
