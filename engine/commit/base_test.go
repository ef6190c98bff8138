package commit

import (
	"testing"

	"reconcile/state"
)

func table() (*state.Table, []*state.Partition) {
	t := &state.Table{Name: "t", Kind: "events", Commit: 3, Rows: 2, Sinks: []state.SinkTable{{Root: "/lake", Folder: "t"}},
		Applied: []state.Applied{{Dump: 1, Digest: "a"}, {Dump: 2, Digest: "b", Incremental: true}}, Index: []state.Ref{{Digest: "i"}}}
	parts := []*state.Partition{{Ordinal: 1, Value: 7, Rows: 2, Files: []state.File{{Path: "t/part-00000.parquet", Size: 5, Rows: 2, Digest: "d", Pin: "p"}}}}
	return t, parts
}

// A base is another one after whatever a commit changes of the content, and the same after
// what is recorded without one.
func TestBaseOf(t *testing.T) {
	was := BaseOf(table())
	if BaseOf(table()) != was || BaseOf(nil, nil) == was {
		t.Error("the base is not told by the content")
	}
	for what, change := range map[string]func(x *state.Table, p *state.Partition){
		"the commit":    func(x *state.Table, _ *state.Partition) { x.Commit++ },
		"a dump":        func(x *state.Table, _ *state.Partition) { x.Applied[1].Dump = 9 },
		"a lost dump":   func(x *state.Table, _ *state.Partition) { x.Applied[1].Lost = true },
		"the mapping":   func(x *state.Table, _ *state.Partition) { x.HasMapping = true },
		"a run":         func(x *state.Table, _ *state.Partition) { x.Index[0].Digest = "j" },
		"kept users":    func(x *state.Table, _ *state.Partition) { x.UserRuns, x.Index = x.Index, nil },
		"an ordinal":    func(_ *state.Table, p *state.Partition) { p.Ordinal++ },
		"a file's name": func(_ *state.Table, p *state.Partition) { p.Files[0].Path = "t/part-00000-3.parquet" },
		"a file's size": func(_ *state.Table, p *state.Partition) { p.Files[0].Size++ },
		"no file":       func(_ *state.Table, p *state.Partition) { p.Files = nil },
	} {
		x, parts := table()
		change(x, parts[0])
		if BaseOf(x, parts) == was {
			t.Errorf("%s: the base is the same", what)
		}
	}
	x, parts := table()
	x.Sinks[0].Fingerprint, parts[0].Files[0].Pin = "m", "q"
	if BaseOf(x, parts) != was {
		t.Error("a fingerprint and a pin: the base is another one")
	}
}
