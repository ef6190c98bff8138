package planner

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/config"
	"reconcile/internal/definition"
	"reconcile/state"
)

// What is said of each of many tables that clash does not grow with their number.
func TestClashesOfManyTables(t *testing.T) {
	const n = 1000
	var tables []*Table
	for i := range n {
		x := &Table{Definition: &definition.Table{Name: fmt.Sprint("t", i), Folder: "T"}}
		x.Name = x.Definition.Name
		tables = append(tables, x)
	}
	holdClashes(&Session{Planner: &Planner{Ask: &Request{Config: &config.Config{}}}}, tables)
	for _, at := range []int{0, 2, n - 1} {
		if got := tables[at].clash; !strings.Contains(got, " and of 996 more, too") || len(got) > 300 || strings.Contains(got, fmt.Sprintf("table t%d ", at)) {
			t.Errorf("it says of table %d: %s", at, got)
		}
	}
	four := tables[:4]
	holdClashes(&Session{Planner: &Planner{Ask: &Request{Config: &config.Config{}}}}, four)
	if got, want := four[3].clash, "that of table t0 and of table t1 and of table t2, too"; !strings.Contains(got, want) {
		t.Errorf("it says of the last of four tables: %s", got)
	}
}

// A folder is taken by another table that has data there, whatever the case.
func TestTakenFolders(t *testing.T) {
	at := func(root, folder string) *state.Table {
		return &state.Table{Sinks: []state.SinkTable{{Root: root, Folder: folder}}}
	}
	p := &Session{Snap: &state.Snapshot{
		Tables:     map[string]*state.Table{"a": at("/lake", "Mass\u212a"), "b": at("/lake", "massk"), "empty": at("/lake", "free"), "c": at("/other", "c")},
		Partitions: map[string][]*state.Partition{"a": {{}}, "b": {{}}, "c": {{}}},
	}}
	p.storedIn = storedIn(p.Snap)
	for _, c := range []struct{ table, folder, want string }{
		{"a", "MASSK", "b"}, {"b", "massk", "a"}, {"x", "MASSK", "a"}, {"x", "free", ""}, {"x", "c", ""}, {"x", "y", ""},
	} {
		if got := p.takenBy(&definition.Table{Name: c.table, Folder: c.folder, Sinks: []definition.Sink{{Path: "/lake"}}}); got != c.want {
			t.Errorf("the folder %s of table %s is taken by %q, not by %q", c.folder, c.table, got, c.want)
		}
	}
}
