package engine

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/state"
)

// packed counts the column chunks of a folder's files, read as parquet-go reads
// them, that are delta-packed, and all of them.
func packed(t *testing.T, dir string) (delta, all int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".parquet") {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		n, of, err := packedIn(data)
		delta, all = delta+n, all+of
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return delta, all
}

func packedIn(data []byte) (delta, all int, err error) {
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return 0, 0, err
	}
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			all++
			if slices.ContainsFunc(c.MetaData.Encoding, func(e format.Encoding) bool {
				return e != format.Plain && e != format.RLE && e != format.RLEDictionary
			}) {
				delta++
			}
		}
	}
	return delta, all, nil
}

// climbing is a delivery of ids and times that are best delta-packed.
func climbing(id int64, from, n int) *model.Dump {
	events, people := avroPart("event_id user_id time"), avroPart("user_id joindate last_modified")
	for i := range n {
		k := int64(from + i)
		at := fmt.Sprint(1767571200000 + 977*k)
		events.Rows = append(events.Rows, row(4_000_000_000_000_000+1_000_003*k, 5_000_000_000_000_000+7919*k, at))
		people.Rows = append(people.Rows, row(5_000_000_000_000_000+7919*k, at, at))
	}
	return dumpOf(id, more("e", events), more("users", people),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(5_000_000_000_000_000+7919*int64(from), 5))))
}

// withEncodings sets the attribute of the lake, which none leaves out.
func (a *bed) withEncodings(value string) {
	a.prelude = prelude
	if value != "" {
		a.prelude = strings.Replace(prelude, `{ path = "../lake" }`, "{\n  path = \"../lake\"\n  encodings = \""+value+"\"\n}", 1)
	}
}

func (a *bed) wantPacked(folder string, some bool) {
	a.t.Helper()
	delta, all := packed(a.t, filepath.Join(a.dir, folder))
	if (delta > 0) != some || all == 0 {
		a.t.Errorf("%s: %d of %d column chunks are delta-packed", folder, delta, all)
	}
}

// TestContractEncodings: new tables get what every reader knows, however their files
// come about; a table that exists keeps what it has until the attribute is set, and
// a change is a rewrite from the sink.
func TestContractEncodings(t *testing.T) {
	a := newBed(t, lakeTables)
	a.tuning = Tuning{GroupRows: 200, AppendAt: 1}
	a.run(climbing(1, 0, 1000))
	a.run(climbing(2, 900, 300)) // spliced, appended, re-keyed
	a.run(climbing(3, 900, 300)) // a redelivery
	a.wantPacked("lake", false)
	a.checkIdle()
	a.withEncodings("plain")
	a.checkIdle()

	a.withEncodings("compact")
	if tp := stepOf(t, planned(a), "e"); tp.Change.Class != plan.ClassRewrite || !strings.Contains(strings.Join(tp.Change.Reasons, " "), "encodings are compact, they were plain") {
		t.Errorf("change %+v", tp.Change)
	}
	a.run()
	a.wantPacked("lake/e", true)
	a.wantPacked("lake/users", true)
	a.checkIdle()
	a.withEncodings("")
	a.checkIdle()
	a.run(climbing(4, 5000, 500), dumpOf(5, more("n", climbing(5, 0, 500).Entries[0].Files...)))
	a.wantPacked("lake/e", true)
	a.wantPacked("lake/n", false) // a new table beside it
	a.hcl = "sink \"parquet\" \"pond\" { path = \"../pond\" }\n" + strings.ReplaceAll(lakeTables, "[sink.parquet.lake]", "[sink.parquet.lake, sink.parquet.pond]")
	a.run()
	a.wantPacked("pond/e", true) // the table has them
	a.wantPacked("pond/n", false)

	a.hcl = lakeTables
	a.withEncodings("plain")
	a.run()
	a.wantPacked("lake", false)
	a.checkIdle()
	a.check()
}

// TestContractOldEncodings: a state of a version that knew no choice has compact
// files. They stay as they are, and so do those that are added.
func TestContractOldEncodings(t *testing.T) {
	a := newBed(t, lakeTables)
	a.tuning = Tuning{GroupRows: 200}
	a.withEncodings("compact")
	a.run(climbing(1, 0, 1000))
	a.withEncodings("")
	a.forgetEncodings()
	a.checkIdle()
	before, _ := packed(t, filepath.Join(a.dir, "lake/e"))
	a.run(climbing(2, 5000, 1000))
	if delta, _ := packed(t, filepath.Join(a.dir, "lake/e")); delta <= before {
		t.Errorf("%d column chunks were delta-packed, now %d", before, delta)
	}
	a.forgetEncodings()
	a.withEncodings("compact")
	a.checkIdle()
	a.withEncodings("plain")
	a.run()
	a.wantPacked("lake", false)
	a.checkIdle()
}

// forgetEncodings takes out of the state what an earlier version does not write.
func (a *bed) forgetEncodings() {
	a.t.Helper()
	a.editState(func(tx *state.Tx, snap *state.Snapshot) error {
		for _, t := range snap.Tables {
			for i := range t.Sinks {
				if t.Sinks[i].Encodings == "" {
					a.t.Errorf("%s: no encodings are recorded", t.Name)
				}
				t.Sinks[i].Encodings = ""
			}
			if err := tx.PutTable(t); err != nil {
				return err
			}
		}
		return nil
	})
}
