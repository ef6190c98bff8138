package engine

import (
	"fmt"
	"path/filepath"
	"testing"
)

// On S3 an ETag tells a part file on every machine, so that no file is read for the inputs
// of a plan, and one that was written again is another one.
func TestRederiveOnS3(t *testing.T) {
	h, gate := gated(t, killConfig)
	dumps := killDumps()
	h.arrive(dumps[0])
	h.must()
	h.arrive(dumps[1])
	h.remote.upload(t, filepath.Join(h.dir, "dumps"))
	gate.Rule(nil)
	plain, err := h.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	want := asked(gate)["GET"]
	gate.Rule(nil)
	from := h.planElsewhere()
	if got := asked(gate)["GET"]; got != want {
		t.Errorf("with its inputs the plan makes %d GET requests instead of %d", got, want)
	}
	if stale := h.rederive(from); len(stale) > 0 {
		t.Errorf("something has changed: %v", stale)
	}
	f := dumps[1].Entries[0].Files[0]
	h.remote.uploadInParts(t, filepath.Join(h.dir, "dumps"), f.Key)
	if got, want := fmt.Sprint(h.rederive(from)), fmt.Sprintf("[{%s [the file %s of dump %d]}]", dumps[1].Entries[0].Table, f.Key, dumps[1].ID); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
