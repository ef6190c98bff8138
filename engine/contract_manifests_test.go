package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
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
