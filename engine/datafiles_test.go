package engine

import (
	"context"
	"path/filepath"
	"testing"

	"reconcile/engine/model"
	"reconcile/sinks"
)

// onlyFile is the path of the one data file in a folder.
func onlyFile(t testing.TB, folder string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(folder, "*.parquet"))
	if err != nil || len(list) != 1 {
		t.Fatalf("%s holds %v, want one file; %v", folder, list, err)
	}
	return list[0]
}

// names are the data files that the state lists.
func (h *harness) names() map[sinks.Place]bool {
	h.t.Helper()
	snap, err := h.engine().store.Load(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	defer snap.Close()
	out := map[sinks.Place]bool{}
	for name, parts := range snap.Partitions {
		for _, p := range parts {
			for _, f := range p.Files {
				out[sinks.Place{Root: snap.Tables[name].Sinks[f.Sink].Root, Path: f.Path}] = true
			}
		}
	}
	return out
}

// checkNames checks that no name comes back that the state did not list: before is what
// it listed before the apply.
func (h *harness) checkNames(before map[sinks.Place]bool) {
	h.t.Helper()
	for at := range h.names() {
		if !before[at] && h.named[at] {
			h.t.Errorf("%s in %s came back", at.Path, at.Root)
		}
		h.named[at] = true
	}
}

// A name that went does not come back: a partition that becomes empty and full again,
// a table that leaves and comes, a sink that is new.
func TestNamesDoNotComeBack(t *testing.T) {
	const day = "table \"*\" {\n  sinks = [sink.parquet.lake]\n  partition_by = [date(time)]\n}\n"
	h := newHarness(t, day)
	part := func(id int) *model.File { return avroPart("event_id user_id time:long", row(id, 7, 86400*20000)) }
	h.arrive(dumpOf(1, full("t", part(1))))
	h.must()
	h.arrive(dumpOf(2, full("t")))
	h.must()
	h.arrive(dumpOf(3, more("t", part(2))))
	h.must()
	at := onlyFile(t, filepath.Join(h.lake(), "t", "date=2024-10-04"))
	h.arrive(dumpOf(4, more("t", part(3))))
	h.must()
	if now := onlyFile(t, filepath.Dir(at)); now != at {
		t.Errorf("the file was renamed from %s to %s", at, now)
	}
	h.hcl = unpartitioned
	h.must()
	h.hcl = day
	h.must()
}
