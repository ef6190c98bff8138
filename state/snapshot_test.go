package state

import (
	"reflect"
	"testing"
)

func forked() *Snapshot {
	f := newFacts()
	f.Lost["a"] = &LostCommit{Why: "gone", Left: []Step{{Path: "x"}}}
	return &Snapshot{Tables: map[string]*Table{"a": {Name: "a", Sinks: []SinkTable{{Root: "/r"}}}, "b": {Name: "b"}},
		Partitions: map[string][]*Partition{"a": {{Ordinal: 1, Files: []File{{Path: "x", Pin: "p"}}}}, "b": {{Ordinal: 2}}},
		Publishes:  []*Publish{{Table: "a", Steps: []Step{{Path: "x"}}}, {Table: "b"}}, Facts: f}
}

// Who changes the tables of a fork leaves what it was made from as it was, and the other
// tables are shared.
func TestForkOfSnapshot(t *testing.T) {
	s := forked()
	out := s.Fork([]string{"a", "none"})
	if !reflect.DeepEqual(out, s) {
		t.Errorf("a fork is another view: %+v", out)
	}
	if out.Tables["b"] != s.Tables["b"] || out.Partitions["b"][0] != s.Partitions["b"][0] || out.Publishes[1] != s.Publishes[1] {
		t.Error("a table that nobody changes was copied")
	}
	out.Tables["a"].Name, out.Tables["a"].Sinks[0].Root = "z", "/z"
	out.Partitions["a"][0].Ordinal, out.Partitions["a"][0].Files[0].Pin = 9, "z"
	out.Lost["a"].Why, out.Lost["a"].Left[0].Path = "z", "z"
	out.Publishes[0].Attempt, out.Publishes[0].Steps[0].Path = "z", "z"
	delete(out.Tables, "b")
	delete(out.Partitions, "b")
	delete(out.Lost, "a")
	out.Publishes[1] = nil
	if !reflect.DeepEqual(s, forked()) {
		t.Errorf("a change of a fork changed what it was made from: %+v", s)
	}
}
