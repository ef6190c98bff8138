package planner

import (
	"slices"
	"testing"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/state"
)

// A plan that leaves dumps out of the listing of the source leaves the listing that was
// read as it was.
func TestListingStays(t *testing.T) {
	one, two, three := &dump.Dump{ID: 1, Digest: "a"}, &dump.Dump{ID: 2, Digest: "b"}, &dump.Dump{ID: 3, Digest: "c"}
	read := &dump.Listing{Dumps: []*dump.Dump{one, two, three}, Problems: []dump.Problem{{Dump: 4, HasDump: true}, {}}}
	session := func() *Session {
		ask := &Request{Config: &config.Config{}, Options: Options{OnlyDumps: map[int64]bool{2: true, 3: true}}}
		return &Session{Planner: &Planner{Ask: ask}, Listing: read,
			Snap: &state.Snapshot{Dumps: map[int64]*state.Dump{1: {ID: 1, Digest: "other"}}}}
	}
	for name, leave := range map[string]func(*Session){
		"changed manifests": HoldManifests,
		"other dumps":       (*Session).dropOthers,
	} {
		p := session()
		leave(p)
		if !slices.Equal(p.Listing.Dumps, []*dump.Dump{two, three}) {
			t.Errorf("%s: the listing has %v", name, p.Listing.Dumps)
		}
		if !slices.Equal(read.Dumps, []*dump.Dump{one, two, three}) || len(read.Problems) != 2 || !read.Problems[0].HasDump {
			t.Errorf("%s: what was read has %v and %v now", name, read.Dumps, read.Problems)
		}
	}
}
