package engine

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"reconcile/engine/model"
	"reconcile/engine/verify"
	"reconcile/internal/blob/s3test"
)

// asked sums up requests by what they are.
func asked(g *s3test.Gate) map[string]int {
	out := map[string]int{}
	for _, r := range g.Seen() {
		kind := r.Method
		switch {
		case strings.Contains(r.Query, "list-type=2"):
			kind = "LIST"
		case r.Method == "GET" && strings.Contains(r.Query, "uploads"):
			kind = "LIST UPLOADS"
		case strings.HasSuffix(r.Path, "/_reconcile/current.json"):
			kind += " current.json"
		}
		out[kind]++
	}
	return out
}

// TestIdleCostsListings is about nights on which nothing arrived: what they
// cost does not grow with the number of dumps, rows or files.
func TestIdleCostsListings(t *testing.T) {
	h, pair := newHarness(t, killConfig), gatedPair(t)
	pair.place(h)
	for _, d := range killDumps() {
		h.arrive(d)
		h.must()
	}
	const tables, newest = 4, 3 // dumps that some table or the mapping took last
	pair.gate.Rule(nil)
	p, err := h.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if want := map[string]int{"LIST": 1 + newest + tables, "GET current.json": 1}; !maps.Equal(asked(pair.gate), want) {
		t.Errorf("an idle plan asked for %v, want %v", asked(pair.gate), want)
	}
	h.refreshOnly(pair, tables)
	pair.gate.Rule(nil)
	res, err := h.apply()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"LIST": 1 + newest + tables + 2, "LIST UPLOADS": 1, "GET current.json": 1}
	if !maps.Equal(asked(pair.gate), want) {
		t.Errorf("an idle apply asked for %v, want %v", asked(pair.gate), want)
	}
	total := int64(0)
	for _, x := range res.Traffic {
		total += x.Total
	}
	if n := int64(len(pair.gate.Seen())); total != n {
		t.Errorf("the result counts %d requests, there were %d", total, n)
	}
}

// refreshOnly compares the sinks with the state, which asks nothing of the source.
func (h *harness) refreshOnly(pair *bucketPair, tables int) {
	h.t.Helper()
	h.opts.RefreshOnly = true
	defer func() { h.opts.RefreshOnly = false }()
	pair.gate.Rule(nil)
	p, err := h.engine().Plan(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	defer p.Close()
	if want := map[string]int{"LIST": tables, "GET current.json": 1}; !maps.Equal(asked(pair.gate), want) || p.Changes() || len(p.Holds) > 0 {
		h.t.Errorf("a look at the sinks asked for %v, want %v; it found %+v", asked(pair.gate), want, p.Plan)
	}
}

// TestNightCost bounds the requests of a night by what changes.
func TestNightCost(t *testing.T) {
	h, pair := newHarness(t, killConfig), gatedPair(t)
	pair.place(h)
	const days = 40
	var rows [][]any
	for i := range days {
		rows = append(rows, killEvent(int64(i), int64(i), 1+i%28, "/a"))
	}
	h.arrive(&model.Dump{ID: 1, Entries: []model.Entry{killEvents(1, "pageviews", "event_id", true, rows)}})
	h.must()
	night := func(id int64, changed int) int {
		for i := range changed { // files of the sizes of the night before would be read to see whether they are the same
			rows[i] = killEvent(int64(i), int64(i), 1+i%28, strings.Repeat("/night", int(id)))
		}
		h.arrive(&model.Dump{ID: id, Entries: []model.Entry{killEvents(id, "pageviews", "event_id", true, rows[:changed])}})
		pair.upload(t, h.dir+"/dumps")
		pair.gate.Rule(nil)
		if _, err := h.apply(); err != nil {
			t.Fatal(err)
		}
		h.check()
		t.Logf("%d partitions: %v", changed, asked(pair.gate))
		return len(pair.gate.Seen())
	}
	one, again, ten := night(2, 1), night(3, 1), night(4, 10)
	if one != again {
		t.Errorf("the second night with one partition cost %d requests, the first %d", again, one)
	}
	each := float64(ten-one) / 9
	if each > 14 || one-int(each) > 45 {
		t.Errorf("a partition costs %.1f requests, the rest %d", each, one-int(each))
	}
	fmt.Fprintf(t.Output(), "a night costs %d requests and %.1f for each partition\n", one-int(each), each)
}

// TestThousandsOfManifests reads each of 5,000 manifests once, several at a
// time, and afterwards only new ones.
func TestThousandsOfManifests(t *testing.T) {
	in := fakeServer(t)
	in.Setenv(t)
	const many = 5000
	h := newHarness(t, killConfig)
	h.remote = newBucketPair(t, in)
	h.remote.gate = s3test.NewGate(t, in.Endpoint)
	h.prelude = h.remote.prelude()
	client := in.Client()
	var g errgroup.Group
	g.SetLimit(32)
	for i := range many {
		g.Go(func() error {
			key := fmt.Sprintf("export/manifests/sync_%d.json", 1000+i)
			body := fmt.Sprintf(`{"dump_id":%d,"tables":[{"name":"_event_metadata","files":[],"columns":["a","b"],"incremental":true}]}`, 1000+i)
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &h.remote.in, Key: &key, Body: strings.NewReader(body)})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	h.arrive(killDumps()[:2]...)
	h.remote.upload(t, h.dir+"/dumps")
	h.remote.gate.Rule(nil)
	if _, err := h.apply(); err != nil {
		t.Fatal(err)
	}
	if n := asked(h.remote.gate)["GET"]; n < many || n > many+60 {
		t.Errorf("the first apply reads %d objects", n)
	}
	h.check()
	h.arrive(killDumps()[2])
	h.remote.upload(t, h.dir+"/dumps")
	h.remote.gate.Rule(nil)
	p, err := h.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := asked(h.remote.gate); got["GET"] != 1 || got["HEAD"] != 0 || got["LIST"] != 6+1+2+4 { // pages of manifests, the dump, those applied last, tables
		t.Errorf("a plan with one new manifest asks for %v", got)
	}
	h.must()
}

// TestDumpsAreListed finds out about all files of a dump by one listing.
func TestDumpsAreListed(t *testing.T) {
	h, gate := gated(t, killConfig)
	d := &model.Dump{ID: 1}
	for table := range 5 {
		var parts [][][]any
		for i := range int64(10) {
			parts = append(parts, [][]any{killEvent(i, i, 1, "/")})
		}
		d.Entries = append(d.Entries, killEvents(1, fmt.Sprintf("t%d", table), "event_id", true, parts...))
	}
	h.arrive(d)
	h.remote.upload(t, h.dir+"/dumps")
	gate.Rule(nil)
	p, err := h.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := asked(gate); got["HEAD"] > 1 || got["LIST"] != 1+1+5 {
		t.Errorf("a plan with a dump of 50 files asks for %v", got)
	}
	h.must()
	d = killDumps()[3]
	d.Entries = append(d.Entries, killEvents(4, "t0", "event_id", true, [][]any{killEvent(99, int64(1), 1, "/")}))
	d.Entries[1].Files[0].Key = "elsewhere/part.avro"
	h.arrive(d)
	h.must()
}

// TestVerifyListsDumps: a verify finds the sizes of part files, by which it says how far it
// is, in a listing of each dump, not file by file.
func TestVerifyListsDumps(t *testing.T) {
	h, pair := newHarness(t, killConfig), gatedPair(t)
	pair.place(h)
	for _, d := range killDumps() {
		h.arrive(d)
		h.must()
	}
	pair.gate.Rule(nil)
	if _, err := NewVerifier(h.engine()).Verify(t.Context(), verify.Options{}); err != nil {
		t.Fatal(err)
	}
	got := asked(pair.gate)
	if heads := got["HEAD"]; heads > 0 {
		t.Errorf("it asks for %d files one by one: %v", heads, got)
	}
	if most := 1 + len(killDumps()) + 4; got["LIST"] > most {
		t.Errorf("it lists %d times, at most %d are expected", got["LIST"], most)
	}
}
