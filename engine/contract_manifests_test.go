package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/feed"
)

// replace delivers a dump of an id that arrived already once more.
func (a *bed) replace(d *model.Dump) {
	a.t.Helper()
	a.arrived = slices.DeleteFunc(a.arrived, func(x *model.Dump) bool { return x.ID == d.ID })
	a.arrive(d)
}

// accepting applies with -accept-manifest. Afterwards nothing may be left to do
// or held, without the flag.
func (a *bed) accepting(id int64) {
	a.t.Helper()
	a.opts.AcceptManifest = []int64{id}
	res := a.run()
	a.opts.AcceptManifest = nil
	a.held(res)
	a.held(a.run())
	a.check()
	a.checkIdle()
}

// TestContractAcceptedManifest: an accepted manifest is the one to go by, whatever
// it changes, and stays accepted.
func TestContractAcceptedManifest(t *testing.T) {
	one := avroPart("event_id user_id", row(1, 10))
	two := avroPart("event_id user_id", row(2, 10))
	nine := avroPart("event_id user_id", row(9, 10))
	nine.Key = "sync_2/x/corrected.avro"
	meta := withColumns(full("_event_metadata"), "a")
	for name, c := range map[string]struct {
		second []model.Entry
		e, f   []string
	}{
		"a table is gone":                {[]model.Entry{more("f", two), meta}, []string{"1"}, []string{"1", "2"}},
		"all tables are gone":            {[]model.Entry{meta}, []string{"1"}, []string{"1"}},
		"a table is gone, one changed":   {[]model.Entry{more("f", nine), meta}, []string{"1"}, []string{"1", "9"}},
		"a table is incremental no more": {[]model.Entry{full("e", two), more("f", two), meta}, []string{"2"}, []string{"1", "2"}},
		"a table that nobody takes":      {[]model.Entry{more("e", two), more("f", two), withColumns(full("_event_metadata"), "b")}, []string{"1", "2"}, []string{"1", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, lakeTables)
			a.run(dumpOf(1, full("e", one), full("f", one)), dumpOf(2, more("e", two), more("f", two), meta))
			before := a.got("e", "event_id _dump_id")
			a.replace(dumpOf(2, c.second...))
			a.held(a.run(), "manifests/sync_2.json -accept-manifest=2")
			if diff := diffLines(before, a.got("e", "event_id _dump_id")); diff != "" {
				t.Fatalf("it was not accepted yet:\n%s", diff)
			}
			a.accepting(2)
			a.want("e", "event_id", c.e...)
			a.want("f", "event_id", c.f...)
		})
	}
}

// TestContractAcceptedEmptiness: a table whose only dump no longer lists it is
// empty, and comes back with the manifest.
func TestContractAcceptedEmptiness(t *testing.T) {
	a := newBed(t, lakeTables)
	part := avroPart("event_id user_id", row(1, 10))
	a.run(dumpOf(1, full("e", part), full("f", part)))
	a.replace(dumpOf(1, full("f", part)))
	a.accepting(1)
	a.want("e", "event_id")
	a.replace(dumpOf(1, full("e", part), full("f", part)))
	a.accepting(1)
	a.want("e", "event_id", "1")
}

// TestContractManifestMeaning: where the property definitions lie is not what is
// compared.
func TestContractManifestMeaning(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	path := filepath.Join(a.dir, "dumps", "manifests", "sync_1.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(string(data), "}") + `,"property_definitions":"s3://csq-rs3-test/sync_1/other.json"}`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	a.held(a.run())
}

// TestContractWithdrawnMapping: without the entry that brought it a mapping no
// longer counts, whether an accepted manifest leaves it out or a skip_dump does.
func TestContractWithdrawnMapping(t *testing.T) {
	mapping := func(rows ...[]any) *model.File { return avroPart("from_user_id to_user_id", rows...) }
	skip := strings.Replace(prelude, `{ path = "../dumps" }`, `{
  path = "../dumps"
  skip_dump "2" {
    tables = ["user_migrations"]
    reason = "x"
  }
}`, 1)
	for _, how := range []string{"accept", "skip"} {
		for _, older := range []bool{true, false} {
			a := newBed(t, lakeTables)
			part := avroPart("event_id user_id", row(1, 10), row(2, 20))
			first := []model.Entry{full("e", part), full("users", avroPart("user_id", row(10)))}
			if older {
				first = append(first, more(feed.TableMapping, mapping(row(10, 11))))
			}
			part2 := avroPart("event_id user_id", row(3, 10))
			second := mapping(row(10, 12), row(20, 12), row("x", 5))
			second.Fields[0].Type = []any{"null", "string"}
			for i := range second.Rows[:2] {
				second.Rows[i][0] = []string{"10", "20"}[i]
			}
			a.run(dumpOf(1, first...), dumpOf(2, more("e", part2), more(feed.TableMapping, second)))
			a.want("e", "event_id user_id", "1 12", "2 12", "3 12")
			a.wantBad(feed.TableMapping, `2 2 {"from_user_id":"x","to_user_id":"5"}`)
			if how == "accept" {
				a.replace(dumpOf(2, more("e", part2)))
				a.accepting(2)
			} else {
				a.prelude = skip
				a.held(a.run())
				a.check()
				a.checkIdle()
			}
			if older {
				a.want("e", "event_id user_id", "1 11", "2 20", "3 11")
				a.want("users", "user_id", "11")
				a.want(feed.TableMapping, "from_user_id to_user_id canonical_user_id _dump_id", "10 11 11 1")
			} else {
				a.want("e", "event_id user_id", "1 10", "2 20", "3 10")
				a.want("users", "user_id", "10")
				a.want(feed.TableMapping, "from_user_id")
			}
			a.wantBad(feed.TableMapping)
			if shown, err := a.engine().Inspect().Show(t.Context()); err != nil || (shown.Mapping != nil) != older {
				t.Errorf("shown: %+v, %v", shown, err)
			}
		}
	}
}

// TestContractMappingQuarantine: a mapping's rows without both ids stay in the
// quarantine while that mapping does, whatever its table is rewritten for.
func TestContractMappingQuarantine(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, more(feed.TableMapping, avroPart("from_user_id to_user_id", row(10, 11), row(nil, 5)))))
	want := `1 1 {"to_user_id":"5"}`
	a.wantBad(feed.TableMapping, want)
	if err := os.RemoveAll(filepath.Join(a.dir, "lake", feed.TableMapping)); err != nil {
		t.Fatal(err)
	}
	a.must()
	a.want(feed.TableMapping, "from_user_id", "10")
	a.wantBad(feed.TableMapping, want)
}

// TestContractMappingExact: plan -exact counts the rows of a new mapping that go to
// the quarantine, as apply does.
func TestContractMappingExact(t *testing.T) {
	a := newBed(t, lakeTables)
	a.exact = true
	a.arrive(dumpOf(1, full(feed.TableMapping, avroPart("from_user_id to_user_id", row(1, 2), row(nil, 2), row(3, nil)))))
	a.must()
}

// TestContractAcceptedFaults: what holds a table does so in an accepted manifest
// too.
func TestContractAcceptedFaults(t *testing.T) {
	part := func(id int) *model.File { return avroPart("event_id user_id", row(id, 10)) }
	gone := part(2)
	gone.Fault, gone.Key = model.Missing, "sync_2/x/gone.avro"
	for name, second := range map[string]*model.Dump{
		"unsaid":       dumpOf(2, model.Entry{Table: "e", Files: []*model.File{part(2)}}),
		"twice":        dumpOf(2, full("e", part(2)), more("e", part(2))),
		"missing file": dumpOf(2, more("e", gone)),
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, lakeTables)
			a.run(dumpOf(1, full("e", part(1))), dumpOf(2, more("e", part(2))))
			a.replace(second)
			a.held(a.run(), "manifests/sync_2.json -accept-manifest=2")
			a.opts.AcceptManifest = []int64{2}
			a.held(a.run(dumpOf(3, more("e", part(3)), full("z", part(1)))), "e 2 -accept-loss=e")
			a.opts.AcceptManifest = nil
			a.held(a.run(), "e 2 -accept-loss=e")
			a.want("e", "event_id", "1", "2")
			a.want("z", "event_id", "1")
			a.replace(dumpOf(2, more("e", part(2), part(4))))
			a.accepting(2)
			a.want("e", "event_id", "1", "2", "3", "4")
		})
	}
}
