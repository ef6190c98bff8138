package engine

import (
	"archive/tar"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/state"
)

// flagRecord makes TestOldSite write the site that a later version is to
// be tested with.
var flagRecord = flag.String("record-site", "", "file (.tar.gz) that the site of this version is recorded in")

// oldSiteRoot is where the recorded site was: what its state names.
const oldSiteRoot = "/tmp/reconcile-old-site"

const oldSiteConfig = `
table "*" {
  sinks = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
mask "pii" {
  tables = ["*"]
  columns = ["email"]
  method = "hmac-sha256"
  key = "not a secret, for a test only"
}
`

// oldSiteDumps are those that the recorded site has applied. Three of its tables
// hold what the rules of later versions read otherwise: ids in the double branch
// of a union (basket), a property that differs from a key by case (delivery), and
// the zero of a logical timestamp (visit). signup, pageviews, sessions and users
// are plain.
func oldSiteDumps() []*model.Dump {
	event := func(user, id int, at string, plan string) *model.File {
		return avroPart("user_id event_id time plan email", row(user, id, at, plan, fmt.Sprintf("u%d@example.org", user)))
	}
	plain := func(base int) *model.File {
		f := avroPart("user_id event_id session_id time path email")
		for i := range 12 {
			f.Rows = append(f.Rows, row(int64(1+i%5), int64(base+i), int64(i/3), fmt.Sprintf("2026-02-%02d 08:00:00", 1+i%3), "/p"+fmt.Sprint(i%4), fmt.Sprintf("u%d@example.org", 1+i%5)))
		}
		return f
	}
	union := []any{"null", "long", "double"}
	basket := &model.File{Fields: []model.Field{{Name: "user_id", Type: []any{"null", "long"}}, {Name: "event_id", Type: union}, {Name: "time", Type: killText}},
		Rows: [][]any{
			{int64(1), model.Branch{Index: 1, Value: int64(70)}, "2026-02-01"},
			{int64(2), model.Branch{Index: 2, Value: float64(71)}, "2026-02-01"},
			{int64(3), model.Branch{Index: 1, Value: int64(72)}, "2026-02-02"},
		}}
	delivery := avroPart("user_id event_id time User_ID:string Time:string",
		row(1, 80, "2026-02-01", "9001", "10:30-11:00"), row(2, 81, "2026-02-02", "9002", "12:00"))
	visit := avroPart("user_id event_id time:ms", row(1, 90, 0), row(2, 91, 1769904000000))
	users := avroPart("user_id joindate last_modified plan email",
		row(1, "2026-01-01", "2026-01-02", "free", "u1@example.org"), row(2, "2026-01-03", "2026-01-04", "pro", "u2@example.org"),
		row(3, "2026-01-05", "2026-01-06", nil, "u3@example.org"))
	return []*model.Dump{
		dumpOf(1, full("signup", event(1, 10, "2026-02-01", "free"), event(2, 11, "2026-02-02", "pro")),
			full("pageviews", plain(100)), full("sessions", avroPart("user_id session_id time", row(1, 50, "2026-02-01"), row(2, 51, "2026-02-01"))),
			full("basket", basket), full("delivery", delivery), full("visit", visit), full("users", users),
			full("user_migrations", avroPart("from_user_id to_user_id time", row(2, 1, "2026-02-01")))),
		dumpOf(2, more("signup", event(2, 11, "2026-02-02", "team"), event(4, 12, "2026-02-03", "free")),
			more("pageviews", avroPart("user_id event_id time path", row(1, 100, "2026-02-01", "/new"), row(nil, 130, "2026-02-01", "/nobody"))),
			more("users", avroPart("user_id joindate last_modified plan email", row(4, "2026-02-03", "2026-02-03", "free", "u4@example.org")))),
	}
}

// oldSites are what versions before left: a configuration, an export of
// oldSiteDumps, a lake and a state. To record that of today's version, run
// go test ./engine -run TestOldSite -record-site FILE.
var oldSites = []string{"before-exact-names.tar.gz"}

// TestOldSite goes on with a site that an earlier version left: nothing is rebuilt
// unasked, new dumps come in, and -repair makes of each table what the source says.
func TestOldSite(t *testing.T) {
	if *flagRecord != "" {
		recordSite(t, *flagRecord)
		return
	}
	for _, site := range oldSites {
		t.Run(site, func(t *testing.T) {
			a := newBed(t, oldSiteConfig)
			if err := unpackFolder(filepath.Join("testdata", "sites", site), a.dir); err != nil {
				t.Fatal(err)
			}
			a.arrived = oldSiteDumps()
			a.goOnFromOldSite()
		})
	}
}

// oldTables are the tables of the site, as the plan names them.
var oldTables = []string{"basket", "delivery", "pageviews", "sessions", "signup", "users", "visit", "user_migrations"}

func (a *bed) goOnFromOldSite() {
	a.t.Helper()
	before := a.allRows()
	a.opts.MovedSinks = []string{oldSiteRoot + "/lake=" + filepath.Join(a.dir, "lake")}
	a.held(a.run())
	a.opts.MovedSinks = nil
	a.checkIdle()
	if diff := diffLines(before, a.allRows()); diff != "" {
		a.t.Fatalf("the first apply changed rows:\n%s", diff)
	}
	a.said(a.notices(), strings.Join(oldTables, ", "), "-repair -target=table.basket")

	// A night: the plain tables are what the model says, all of them take new rows.
	a.run(oldSiteNight())
	a.checkIdle()
	a.checkTables("signup", "pageviews", "sessions", "users", "user_migrations")
	a.want("signup", "event_id user_id plan", "10 1 free", "11 1 team", "12 4 free", "13 1 pro")
	a.want("basket", "event_id user_id", "70 1", "71 1", "72 3", "73 1")
	a.want("visit", "event_id user_id @", "90 1 date=1970-01-01", "91 1 date=2026-02-01", "92 3 date=__HIVE_DEFAULT_PARTITION__")
	a.want("delivery", "event_id user_id", "80 9001", "81 9002", "82 1")

	// -repair by itself leaves them.
	a.opts.Repair = true
	before = a.tree()
	a.held(a.run())
	if diff := diffLines(before, a.tree()); diff != "" {
		a.t.Fatalf("-repair alone wrote:\n%s", diff)
	}
	for _, table := range oldTables {
		a.opts.Targets = []string{"table." + table}
		a.run()
	}
	a.opts.Repair, a.opts.Targets = false, nil
	if left := a.notices(); left != "" {
		a.t.Errorf("after all repairs the plan still says: %s", left)
	}
	for name, table := range a.snapshot().Tables {
		if table.Rules != rules.ContentVersion || !table.ExactNames {
			a.t.Errorf("table %s is still as an earlier version wrote it: rules %d, exact names %v", name, table.Rules, table.ExactNames)
		}
	}
	a.check()
	a.checkIdle()
}

// TestOldSiteResynced: a full resync makes of a table what the source says, too.
func TestOldSiteResynced(t *testing.T) {
	for _, site := range oldSites {
		a := newBed(t, oldSiteConfig)
		if err := unpackFolder(filepath.Join("testdata", "sites", site), a.dir); err != nil {
			t.Fatal(err)
		}
		a.arrived = oldSiteDumps()
		a.opts.MovedSinks = []string{oldSiteRoot + "/lake=" + filepath.Join(a.dir, "lake")}
		a.held(a.run())
		a.opts.MovedSinks = nil
		night := oldSiteNight()
		for i := range night.Entries {
			night.Entries[i].Incremental = model.Bool(false)
		}
		a.held(a.run(night))
		a.checkTables("basket", "delivery", "pageviews", "signup", "users", "visit")
		a.checkIdle()
		a.held(a.run(dumpOf(4, more("delivery", avroPart("user_id event_id time User_ID:string Time:string", row(4, 83, "2026-02-03", "9004", "late"))))))
		a.checkTables("basket", "delivery", "pageviews", "signup", "users", "visit")
	}
}

// TestSiteBeforeTasks goes on with the site of a version that read all names, ids and
// times as today: its state, its objects and its files are those of today's version.
func TestSiteBeforeTasks(t *testing.T) {
	a := newBed(t, oldSiteConfig)
	if err := unpackFolder(filepath.Join("testdata", "sites", "before-tasks.tar.gz"), a.dir); err != nil {
		t.Fatal(err)
	}
	a.arrived = oldSiteDumps()
	before := a.allRows()
	a.opts.MovedSinks = []string{oldSiteRoot + "/lake=" + filepath.Join(a.dir, "lake")}
	a.held(a.run())
	a.opts.MovedSinks = nil
	a.checkIdle()
	if diff := diffLines(before, a.allRows()); diff != "" {
		t.Fatalf("the first apply changed rows:\n%s", diff)
	}
	if said := a.notices(); said != "" {
		t.Errorf("the plan says: %s", said)
	}
	a.check()
	a.run(oldSiteNight())
	a.check()
	a.checkIdle()
	again := oldSiteNight()
	again.ID = 4
	a.run(again)
	a.check()
	a.checkIdle()
}

// TestSiteRaised goes on with a recorded site by a program whose states have a newer format:
// its plans say so until the first commit, which comes after a backup.
func TestSiteRaised(t *testing.T) {
	a := newBed(t, oldSiteConfig)
	if err := unpackFolder(filepath.Join("testdata", "sites", "before-tasks.tar.gz"), a.dir); err != nil {
		t.Fatal(err)
	}
	a.arrived = oldSiteDumps()
	a.tuning.Format = state.Format{Number: 2, Program: "9.0.0"}
	a.opts.MovedSinks = []string{oldSiteRoot + "/lake=" + filepath.Join(a.dir, "lake")}
	want := plan.Raise{From: 1, To: 2, Program: "9.0.0"}
	if p := a.raise(); p == nil || *p != want {
		t.Fatalf("the plan says of the format %v", p)
	}
	a.held(a.run())
	a.opts.MovedSinks = nil
	a.run(oldSiteNight())
	a.check()
	a.checkIdle()
	if p := a.raise(); p != nil {
		t.Errorf("after the apply the plan says of the format %v", p)
	}
	kept, err := filepath.Glob(filepath.Join(a.dir, "state", "*.backups", "*", "backup.json"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the backups are %q, %v", kept, err)
	}
}

// raise is what the plan says of the format of the state.
func (a *bed) raise() *plan.Raise {
	a.t.Helper()
	p, err := a.engine().Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		a.t.Fatal(err)
	}
	return p.Raise
}

// checkTables compares some tables with the model.
func (a *bed) checkTables(names ...string) {
	a.t.Helper()
	a.waiting = slices.DeleteFunc(slices.Clone(oldTables), func(n string) bool { return slices.Contains(names, n) })
	a.check()
	a.waiting = nil
}

// allRows are the rows of all tables, as a reader sees them.
func (a *bed) allRows() []string {
	a.t.Helper()
	var out []string
	for _, table := range oldTables {
		for _, row := range a.got(table, "@ event_id session_id user_id _raw_user_id from_user_id to_user_id time path plan email User_ID Time _dump_id _rescued_data") {
			out = append(out, table+" "+row)
		}
	}
	return out
}

// oldSiteNight is the first dump after the site was recorded.
func oldSiteNight() *model.Dump {
	return dumpOf(3,
		more("signup", avroPart("user_id event_id time plan email", row(2, 13, "2026-02-04", "pro", "u2@example.org"))),
		more("pageviews", avroPart("user_id event_id time path", row(3, 140, "2026-02-02", "/x"), row(1, 100, "2026-02-01", "/newer"))),
		more("basket", avroPart("user_id event_id time", row(2, 73, "2026-02-02"))),
		more("delivery", avroPart("user_id event_id time User_ID:string Time:string", row(2, 82, "2026-02-02", "9003", "noon"))),
		more("visit", avroPart("user_id event_id time:ms", row(3, 92, 0))),
		more("users", avroPart("user_id joindate last_modified plan email", row(2, "2026-01-03", "2026-02-04", "club", "u2@example.org"))))
}

// recordSite writes the site of this version.
func recordSite(t *testing.T, archive string) {
	h := newHarness(t, oldSiteConfig)
	h.dir = oldSiteRoot
	for _, d := range []string{"dumps/manifests", "conf"} {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	defer os.RemoveAll(h.dir)
	h.tuning = Tuning{Inline: 64, GroupRows: 4}
	for _, d := range oldSiteDumps() {
		h.arrive(d)
		if _, err := h.apply(); err != nil {
			t.Fatal(err)
		}
	}
	if err := packFolder(archive, h.dir); err != nil {
		t.Fatal(err)
	}
}

// unpackFolder writes the files of an archive into a folder.
func unpackFolder(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(head.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
}

// packFolder writes the regular files of a folder into an archive.
func packFolder(archive, dir string) error {
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, ".readers") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel), Mode: 0o644, Size: info.Size()}); err != nil {
			return err
		}
		src, err := os.Open(p)
		if err != nil {
			return err
		}
		defer src.Close()
		_, err = io.Copy(w, src)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return z.Close()
}
