package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"reconcile/engine/filename"
	"reconcile/engine/native/events"
	"reconcile/internal/failpoint"
)

// dataFiles returns the files of pageviews by name.
func (h *harness) dataFiles() map[string]os.FileInfo {
	h.t.Helper()
	list, err := os.ReadDir(filepath.Join(h.lake(), "pageviews"))
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]os.FileInfo{}
	for _, f := range list {
		if out[f.Name()], err = f.Info(); err != nil {
			h.t.Fatal(err)
		}
	}
	return out
}

const unpartitioned = "table \"pageviews\" { sinks = [sink.parquet.lake] }\n"

// Rows that come to a large partition get a file of their own and leave the others
// alone, until there are many such files, or as many rows in them as in the others.
func TestRowsAreAppended(t *testing.T) {
	h := newHarness(t, unpartitioned)
	h.tuning = Tuning{GroupRows: 50, AppendAt: 1}
	h.arrive(plainDump(1, 0, 2000))
	h.must()
	first := sortedKeys(h.dataFiles())
	for n := range events.MaxAppended {
		before := h.dataFiles()
		h.arrive(plainDump(int64(2+n), 2000+80*n, 80))
		h.must()
		after := h.dataFiles()
		if len(after) != n+2 {
			t.Fatalf("%d files after %d nights", len(after), n+1)
		}
		for name, f := range before {
			if !os.SameFile(f, after[name]) {
				t.Errorf("night %d wrote %s anew", n+1, name)
			}
		}
	}
	h.arrive(plainDump(20, 3000, 80))
	h.must()
	if got := sortedKeys(h.dataFiles()); !slices.Equal(got, first) {
		t.Errorf("%v are left when files were folded", got)
	}
	h.arrive(plainDump(21, 4000, 3000))
	h.must()
	if got := sortedKeys(h.dataFiles()); len(got) != 1 {
		t.Errorf("%v are there after a night with more rows than there were", got)
	}
}

// Of a partition of several files only those are written that lose rows or hold a
// user who is another now.
func TestOnlyChangedFilesAreWritten(t *testing.T) {
	h := newHarness(t, unpartitioned)
	h.tuning = Tuning{GroupRows: 100, AppendAt: 1, CutAt: 1}
	h.arrive(plainDump(1, 0, 1000))
	h.must()
	before := h.dataFiles()
	if len(before) < 9 {
		t.Fatalf("%d files of 100 rows each", len(before))
	}
	for i, name := range sortedKeys(before) {
		if filename.Number(name) != i {
			t.Errorf("file %d is called %s", i, name)
		}
	}
	h.arrive(plainDump(2, 160, 5)) // events that are there, of one user or two
	h.must()
	kept := 0
	for name, f := range h.dataFiles() {
		if was := before[name]; was != nil && os.SameFile(f, was) {
			kept++
		}
	}
	if kept != len(before)-1 {
		t.Errorf("%d of %d files were kept, want all but one", kept, len(before))
	}
}

// A row that replaces another in a partition of several files comes to the file of
// that one, so that a reader sees it once between any two moves of a commit.
func TestReplacedRowsStayInTheirFile(t *testing.T) {
	for nth := 1; nth < 4; nth++ {
		a := newBed(t, unpartitioned)
		a.tuning = Tuning{GroupRows: 100, AppendAt: 1, CutAt: 1}
		a.run(plainDump(1, 0, 1000))
		old := a.got("pageviews", "event_id")
		a.arrive(plainDump(2, 160, 400), plainDump(3, 5000, 40))
		var err error
		if a.fails, err = failpoint.Parse(fmt.Sprintf("publish.move.after=error@%d", nth)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.apply(); err == nil {
			t.Fatal("the failpoint had no effect")
		}
		now := a.got("pageviews", "event_id")
		seen := map[string]int{}
		for _, id := range now {
			seen[id]++
		}
		for _, id := range old {
			if seen[id] != 1 {
				t.Fatalf("after %d moves event %s is there %d times", nth, id, seen[id])
			}
		}
		a.fails = nil
		a.must()
	}
}
