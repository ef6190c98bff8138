package state_test

import (
	"testing"

	"reconcile/state"
	"reconcile/state/internal/statetest"
)

// TestRefsInPlace: what is rewritten is what a snapshot names.
func TestRefsInPlace(t *testing.T) {
	ref := func(name string) state.Ref { return state.Ref{Digest: statetest.DigestOf(name), Size: 1} }
	snap := &state.Snapshot{Manifests: ref("manifests"), Mapping: &state.Mapping{Ref: ref("mapping"), Quarantine: ref("quarantine")},
		Tables: map[string]*state.Table{"t": {Mapping: ref("of table"), Users: ref("users"), UserRuns: []state.Ref{ref("run")}, Index: []state.Ref{ref("index")},
			Quarantine: []state.DumpRef{{Dump: 1, Ref: ref("dump")}}}},
		Partitions: map[string][]*state.Partition{"t": {{Shadow: ref("shadow")}}}}
	n := 0
	snap.EachRef(func(r *state.Ref) { n++; r.Name = "new" })
	seen := 0
	for r := range snap.Refs() {
		if seen++; r.Name != "new" {
			t.Errorf("%v was not rewritten", r)
		}
	}
	if n != seen || n != 9 {
		t.Errorf("%d were rewritten, %d are named", n, seen)
	}
}
