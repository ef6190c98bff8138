package exectest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"reconcile/engine/inspect"
	"reconcile/engine/model"
	"reconcile/engine/model/reader"
)

// check compares every table with the model.
func (b *bed) check() {
	b.t.Helper()
	if b.unchecked {
		return
	}
	cfg, w := b.config(), &model.World{Dumps: b.arrived}
	for _, name := range w.Tables() {
		t, diags := cfg.Table(name, b.delivered(name))
		if diags.HasErrors() {
			b.t.Fatal(diags)
		}
		if t == nil {
			continue
		}
		s := model.FromDefinition(t, cfg.MaskKey)
		set, _ := model.AppliedFor(b.arrived, name, s)
		want, err := model.Expect(set, model.MappingFor(b.arrived, model.Guard{}).Dump, s, name)
		if err != nil {
			continue // the table cannot be: it is held
		}
		got, err := reader.Read(filepath.Join(b.path("lake"), t.Folder), name, want)
		if err != nil {
			b.t.Fatal(err)
		}
		diff := slices.Concat(want.Diff(got.Rows), want.DiffColumns(got.Columns), b.diffQuarantine(name, want))
		if len(diff) > 0 {
			b.t.Fatalf("table %s is not what it should be:\n%s\n\nthe model:\n%s\nthe dumps:\n%s", name, strings.Join(diff, "\n"), want, w)
		}
	}
}

// diffQuarantine compares the quarantined rows of a table with the model's.
func (b *bed) diffQuarantine(name string, want *model.Table) []string {
	b.t.Helper()
	var got, expected []string
	for _, q := range want.Quarantine {
		expected = append(expected, fmt.Sprintf("dump %d, %s, row %d", q.Dump, q.File, q.Row))
	}
	shown, err := b.engine().Inspect().Show(b.t.Context())
	if err == nil && slices.ContainsFunc(shown.Tables, func(t inspect.Table) bool { return t.Name == name }) {
		err = b.engine().Inspect().Quarantine(b.t.Context(), name, func(q inspect.Row) error {
			got = append(got, fmt.Sprintf("dump %d, %s, row %d", q.Dump, q.File, q.Row))
			return nil
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(expected)
	if slices.Equal(got, expected) {
		return nil
	}
	return []string{fmt.Sprintf("quarantined are %q instead of %q", got, expected)}
}
