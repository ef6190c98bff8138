package commit

import (
	"testing"

	"reconcile/sinks"
	"reconcile/state"
)

// A change that removes other files than the result of its task says is refused: files of
// the table that no new one replaces, and nothing else but what the state does not list.
func TestCheckRemovals(t *testing.T) {
	at := func(path string) sinks.Place { return sinks.Place{Root: "/lake", Path: path} }
	first, second, stray := at("t/part-00000-3.parquet"), at("t/part-00001-3.parquet"), at("t/other.parquet")
	for what, c := range map[string]struct {
		removals []sinks.Place
		ok       bool
	}{
		"the file that goes":           {[]sinks.Place{second}, true},
		"none":                         {nil, false},
		"the file that is replaced":    {[]sinks.Place{first}, false},
		"both":                         {[]sinks.Place{first, second}, false},
		"the one in another sink":      {[]sinks.Place{{Root: "/other", Path: second.Path}}, false},
		"what the state does not list": {[]sinks.Place{second, stray}, true},
	} {
		old, parts := table()
		parts[0].Files = []state.File{{Path: first.Path, Digest: "a"}, {Path: second.Path, Digest: "b"}}
		now, _ := table()
		ch := &Change{Attempt: "1-a", Old: old, OldParts: parts, Table: now, Removals: c.removals,
			Left:  []state.Step{{Sink: stray.Root, Path: stray.Path, Before: "c"}},
			Parts: []Part{{Record: &state.Partition{Ordinal: 1, Files: []state.File{{Path: "t/part-00000.parquet", Digest: "d"}}}, Staged: []string{"staged"}}}}
		ch.nameFiles(4)
		steps := ch.Steps()
		if len(steps) != 3 {
			t.Fatalf("the steps are %+v", steps)
		}
		if err := ch.checkRemovals(steps); c.ok != (err == nil) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
