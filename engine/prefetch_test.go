package engine

import (
	"os"
	"path/filepath"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/failpoint"
)

// tables is a dump of several small tables.
func tables(id int64, names ...string) *model.Dump {
	var entries []model.Entry
	for _, n := range names {
		entries = append(entries, more(n, avroPart("event_id user_id", row(int(id), 10), row(int(id)+100, 20))))
	}
	return dumpOf(id, entries...)
}

// What tables staged ahead of their turn is removed when an apply fails before it,
// and what a table's commit removes does not touch it.
func TestPrefetchedIsGivenUp(t *testing.T) {
	for _, point := range []failpoint.Name{failpoint.PublishIncomplete, failpoint.PublishMoveBefore, failpoint.StateCommitAfter} {
		t.Run(string(point), func(t *testing.T) {
			a := newBed(t, lakeTables)
			a.run(tables(1, "a", "b", "c", "d"))
			a.arrive(tables(2, "a", "b", "c", "d"))
			a.interruptAt(string(point) + "=error")
			list, err := os.ReadDir(filepath.Join(a.lake(), "_reconcile", "staging"))
			if err != nil || len(list) > 1 {
				t.Errorf("%d attempts are left, want at most that of the commit under way (%v)", len(list), err)
			}
			a.must()
			for _, table := range []string{"a", "b", "c", "d"} {
				a.want(table, "event_id", "1", "101", "2", "102")
			}
		})
	}
}
