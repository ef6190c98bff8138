package engine

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/blob/s3test"
)

// gatedBed is a bed from bucket to bucket through a gate.
func gatedBed(t *testing.T, hcl string) (*bed, *s3test.Gate) {
	h, gate := gated(t, hcl)
	return &bed{h}, gate
}

// says is what a refusal is told with.
var says = map[s3test.Fault]string{
	s3test.Archived:   "archived restore",
	s3test.KeyRefused: "KMS kms:Decrypt",
	s3test.Denied:     "access denied s3:GetObject",
}

// TestRefusedFileOnS3: a file that its store refuses holds its table and nothing
// else, each apply tries it again, and it heals by itself.
func TestRefusedFileOnS3(t *testing.T) {
	for _, f := range s3test.Refusals() {
		for _, kind := range []string{"columns", "no columns", "outside"} {
			a, gate := gatedBed(t, lakeTables)
			part := func(id int) *model.File { return avroPart("event_id user_id", row(id, 10)) }
			a.run(dumpOf(1, full("e", part(1)), full("f", part(1))))
			second := dumpOf(2, more("e", part(2)), more("f", part(2)))
			third := dumpOf(3, more("e", part(3)), more("f", part(3)))
			if kind == "outside" { // of the folder of the dump, so that no listing shows it
				second.Entries[0].Files[0].Key = "elsewhere/e-00002.avro"
			}
			if kind != "no columns" {
				for _, d := range []*model.Dump{second, third} {
					for i := range d.Entries {
						d.Entries[i].Columns = []string{"event_id", "user_id"}
					}
				}
			}
			refused := second.Entries[0].Files[0].Key
			gate.Refuse(refused, f)
			want := "e 2 " + refused + " " + says[f]
			a.held(a.run(second), want)
			a.want("f", "event_id", "1", "2")
			a.held(a.run(third), want)
			a.want("f", "event_id", "1", "2", "3")
			a.want("e", "event_id", "1")
			gate.Refuse(refused, f) // which forgets what was struck
			a.held(a.run(), want)
			if gate.Struck() == 0 {
				t.Errorf("%s, %s: an apply did not try it again", f, kind)
			}
			gate.Rule(nil)
			a.held(a.run())
			a.want("e", "event_id", "1", "2", "3")
		}
	}
}

// TestRefusedMappingOnS3: tables go on under the newest good mapping.
func TestRefusedMappingOnS3(t *testing.T) {
	for _, f := range s3test.Refusals() {
		a, gate := gatedBed(t, lakeTables)
		mapping := func(to int) *model.File { return avroPart("from_user_id to_user_id", row(10, to)) }
		part := func(id int) *model.File { return avroPart("event_id user_id", row(id, 10)) }
		a.run(dumpOf(1, full("e", part(1)), full("user_migrations", mapping(20))))
		second := dumpOf(2, more("e", part(2)), full("user_migrations", mapping(30)))
		gate.Refuse(second.Entries[1].Files[0].Key, f)
		for range 2 {
			a.held(a.run(second), "user_migrations 2 "+says[f])
			a.want("e", "event_id user_id", "1 20", "2 20")
		}
		gate.Rule(nil)
		a.held(a.run())
		a.want("e", "event_id user_id", "1 30", "2 30")
	}
}

// TestRefusedManifestOnS3: a manifest that is refused holds its dump; where none
// may be read, who asks is to blame.
func TestRefusedManifestOnS3(t *testing.T) {
	for _, f := range s3test.Refusals() {
		a, gate := gatedBed(t, lakeTables)
		part := func(id int) *model.File { return avroPart("event_id user_id", row(id, 10)) }
		a.arrive(dumpOf(1, full("e", part(1))))
		gate.Refuse("manifests/", f)
		res, err := a.apply()
		if f == s3test.Denied {
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "manifests") {
				t.Errorf("no manifest may be read: %v, %+v", err, res)
			}
		} else if err != nil || len(res.Holds) != 1 {
			t.Errorf("%s: %v, %+v", f, err, res)
		}
		gate.Rule(nil)
		a.held(a.run())
		gate.Refuse("manifests/sync_2.json", f)
		for range 2 {
			a.held(a.run(dumpOf(2, more("e", part(2))), dumpOf(3, more("e", part(3)))), "manifests/sync_2.json "+says[f])
			a.want("e", "event_id", "1", "3")
		}
		gate.Rule(nil)
		a.held(a.run())
		a.want("e", "event_id", "1", "2", "3")
	}
}

// TestRefusedInRebuildOnS3: a rebuild waits for a file that is refused, unless
// the loss of its rows is accepted.
func TestRefusedInRebuildOnS3(t *testing.T) {
	for _, f := range s3test.Refusals() {
		masked := lakeTables + "mask \"m\" {\n  tables = [\"e\"]\n  columns = [\"note\"]\n  method = \"null\"\n}\n"
		a, gate := gatedBed(t, masked)
		part := func(id int) *model.File { return avroPart("event_id user_id note", row(id, 10, "n")) }
		first := dumpOf(1, full("e", part(1)), full("f", part(1)))
		a.run(first, dumpOf(2, more("e", part(2))))
		a.hcl = lakeTables // a mask that goes is a rebuild
		gate.Refuse(first.Entries[0].Files[0].Key, f)
		for range 2 {
			a.held(a.run(dumpOf(3, more("f", part(3)))), "e 1 -accept-loss=e "+says[f])
			a.want("e", "event_id note", "1 -", "2 -")
			a.want("f", "event_id", "1", "3")
		}
		a.opts.AcceptLoss = []string{"e"}
		a.held(a.run())
		a.want("e", "event_id note", "2 n")
	}
}

// TestRefusedCallerOnS3: what is about who asks ends the run and leaves no hold.
func TestRefusedCallerOnS3(t *testing.T) {
	for _, f := range []s3test.Fault{"400 ExpiredToken", "403 InvalidAccessKeyId", "403 SignatureDoesNotMatch"} {
		a, gate := gatedBed(t, lakeTables)
		a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
		gate.Refuse("part-00000.avro", f)
		if res, err := a.apply(); err == nil {
			t.Errorf("%s: %+v", f, res)
		}
		gate.Rule(nil)
		a.held(a.run())
		a.want("e", "event_id", "1")
	}
	a, gate := gatedBed(t, lakeTables)
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	gate.Rule(func(_ int, r *http.Request) s3test.Fault {
		if r.URL.Query().Has("list-type") && strings.Contains(r.URL.RawQuery, "sync_1") {
			return s3test.Denied
		}
		return s3test.NoFault
	})
	if _, err := a.apply(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a listing is refused: %v", err)
	}
}
