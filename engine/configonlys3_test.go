package engine

import "testing"

// What the configuration changes, and what saved entries are left, asks neither the source
// nor a sink for anything.
func TestConfigDiffAsksNothing(t *testing.T) {
	h, gate := gated(t, killConfig)
	for _, d := range killDumps()[:2] {
		h.arrive(d)
		h.must()
	}
	h.hcl = lakeTables
	gate.Rule(nil)
	part := h.configDiff()
	if len(part.Entries) == 0 {
		t.Fatal("the configuration changes nothing")
	}
	if left, err := part.Left(part.Plan().Config); err != nil || len(left) != len(part.Entries) {
		t.Errorf("of %d entries %d are left: %v", len(part.Entries), len(left), err)
	}
	if seen := gate.Seen(); len(seen) > 0 {
		t.Errorf("it asks for %v", seen)
	}
}
