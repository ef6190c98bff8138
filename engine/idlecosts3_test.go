package engine

import (
	"fmt"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/engine/model"
)

// besideTables adds to a dump what its manifest can list beside tables that are taken, or
// list of one without saying what it is: the columns are not listed, or not the keys.
func besideTables(d *model.Dump) *model.Dump {
	file := func(table, fields string, row ...any) *model.File {
		f := avroPart(fields, row)
		f.Key = fmt.Sprintf("sync_%d/_heap_table_name=%s/part-0.avro", d.ID, table)
		return f
	}
	const keys = "user_id event_id session_id time"
	at := fmt.Sprint(1767225600000 + d.ID)
	d.Entries = append(d.Entries,
		withColumns(full("_event_metadata", file("_event_metadata", "event_name table_name", "a", "b")), "event_name table_name"),
		more("ignored", file("ignored", keys, 1, int(d.ID), 1, at)),
		withColumns(more("ignored_keys", file("ignored_keys", keys+" path", 1, int(d.ID), 1, at, "/")), "path"),
		withColumns(more("no_keys", file("no_keys", "a b", "x", "y")), "a b"),
		more("bare_no_keys", file("bare_no_keys", "a b", "x", "y")),
		withColumns(more("unlisted_keys", file("unlisted_keys", keys+" path", 1, int(d.ID), 1, at, "/")), "path"),
		more("bare", file("bare", keys, 1, int(d.ID), 1, at)))
	for i := range d.Entries {
		if d.Entries[i].Table == "user_migrations" {
			d.Entries[i].Columns = nil
		}
	}
	return d
}

// TestIdleNeverReadsTheHistory is about manifests that leave open what their tables are: an
// idle night opens no file for that, and does not miss one that has expired.
func TestIdleNeverReadsTheHistory(t *testing.T) {
	for name, mapping := range map[string]string{"the mapping is a table": `table "user_migrations" { sinks = [sink.parquet.lake] }`, "the mapping is none": ""} {
		t.Run(name, func(t *testing.T) {
			h, pair := newHarness(t, `
table "*" { sinks = [sink.parquet.lake] }
table "users" { sinks = [sink.parquet.lake] }
ignore "ignored*" {}
`+mapping), gatedPair(t)
			pair.place(h)
			for _, d := range killDumps() {
				h.arrive(besideTables(d))
				h.must()
			}
			idle := func(when string) {
				t.Helper()
				pair.gate.Rule(nil)
				p, err := h.engine().Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				asked := asked(pair.gate)
				delete(asked, "LIST")
				if want := map[string]int{"GET current.json": 1}; !maps.Equal(asked, want) || p.Changes() || len(p.Holds) > 0 {
					t.Errorf("%s, an idle plan asked for %v besides listings, want %v; it holds %v", when, asked, want, p.Holds)
				}
			}
			idle("with all files")
			for _, d := range h.arrived {
				for _, e := range d.Entries {
					if e.Table == "sessions" || e.Table == "users" {
						continue
					}
					for _, f := range e.Files {
						key := "export/" + f.Key
						if _, err := pair.server.Client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &pair.in, Key: &key}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			idle("without files that expired")
		})
	}
}
