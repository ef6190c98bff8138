package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/bench/internal/export"
	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/enginetest"
	"reconcile/internal/blob/s3test"
)

var flagUpdate = flag.Bool("update", false, "write testdata/costs.txt anew")

// TestCosts compares what applies cost from bucket to bucket, in numbers that
// every machine gives, with what they cost when testdata/costs.txt was written:
// requests, bytes, and what was written. A change that is meant is written down
// with
//
//	go test ./bench -run TestCosts -update
func TestCosts(t *testing.T) {
	c := newCosts(t)
	c.export(export.Options{Events: 20_000, Sessions: 2_000, Users: 3_000, Columns: 35, Days: 10, Dumps: 3, Order: export.Shuffled,
		Overlap: 0.1, Migrations: 300, Newcomers: 100, Codec: "snappy", FileRows: 5_000, Seed: 1})
	c.apply("cold load")
	c.apply("nothing new")
	c.expire()
	c.apply("nothing new, and the dumps have expired")
	c.night("night", export.Night{Events: 1_000, Migrations: 20, Recent: true})
	c.night("one per cent of the users mapped, old ones too", export.Night{Users: -1, Migrations: 30})
	c.night("the dump before that again", export.Night{Events: 1_000, Users: -1})
	c.night("the same dump again, unchanged", export.Night{Again: true})
	c.compare("testdata/costs.txt")
}

// costs applies an export that is in a bucket to another bucket.
type costs struct {
	t       *testing.T
	server  *s3test.Server
	in, out string
	dir     string
	sent    map[string]bool
	text    strings.Builder
}

func newCosts(t *testing.T) *costs {
	s := s3test.Start(t)
	s.Setenv(t)
	c := &costs{t: t, server: s, in: s.Bucket(t), out: s.Bucket(t), dir: longDir(t), sent: map[string]bool{}}
	if err := os.Mkdir(filepath.Join(c.dir, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("endpoint = %q\nforce_path_style = true\nregion = %q\n", s.Endpoint, s.Region)
	_, tables, _ := strings.Cut(configuration, "table \"*\"")
	text := fmt.Sprintf(`
source "s3" {
  bucket = %q
  manifest_bucket = "bench"
  %s}
reconcile {
  state "local" { path = "../work/state.db" }
  scratch_dir = "../work/scratch"
}
sink "parquet" "lake" {
  path = "s3://%s/lake"
  %s}
table "*"`, c.in, at, c.out, at) + tables
	if err := os.WriteFile(filepath.Join(c.dir, "conf", "main.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *costs) dumps() string { return filepath.Join(c.dir, "dumps") }

func (c *costs) export(o export.Options) {
	if _, err := export.Write(c.dumps(), o); err != nil {
		c.t.Fatal(err)
	}
	c.addEventMetadata()
}

// addEventMetadata has each dump list a table that nobody takes, whose columns do not say so.
func (c *costs) addEventMetadata() {
	c.t.Helper()
	const name = "_event_metadata"
	manifests, err := filepath.Glob(filepath.Join(c.dumps(), "manifests", "*.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, path := range manifests {
		var m struct {
			DumpID int              `json:"dump_id"`
			Tables []map[string]any `json:"tables"`
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if slices.ContainsFunc(m.Tables, func(t map[string]any) bool { return t["name"] == name }) {
			continue
		}
		key := fmt.Sprintf("sync_%d/_heap_table_name=%s/part-00000.avro", m.DumpID, name)
		m.Tables = append(m.Tables, map[string]any{"name": name, "files": []string{"s3://bench/" + key}, "columns": []string{"event_name", "table_name"}, "incremental": true})
		file := filepath.Join(c.dumps(), filepath.FromSlash(key))
		if text, err = json.Marshal(m); err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("never read"), 0o644), os.WriteFile(path, text, 0o644))
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// expire deletes all part files that were uploaded.
func (c *costs) expire() {
	c.t.Helper()
	for key := range c.sent {
		if !strings.HasSuffix(key, ".avro") {
			continue
		}
		if _, err := c.server.Client().DeleteObject(c.t.Context(), &s3.DeleteObjectInput{Bucket: &c.in, Key: &key}); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *costs) night(name string, n export.Night) {
	if _, err := export.AddNight(c.dumps(), n); err != nil {
		c.t.Fatal(err)
	}
	c.addEventMetadata()
	c.apply(name)
}

// upload sends what the bucket lacks; manifests last, as the vendor does.
func (c *costs) upload() {
	var keys []string
	err := filepath.WalkDir(c.dumps(), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(c.dumps(), p)
		if key = filepath.ToSlash(key); !c.sent[key] && strings.Contains(key, "/") {
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	isManifest := func(key string) int { return strings.Index(key, "manifests/") }
	slices.SortStableFunc(keys, func(a, b string) int { return isManifest(a) - isManifest(b) })
	for _, key := range keys {
		if err := c.put(key); err != nil {
			c.t.Fatal(err)
		}
		c.sent[key] = true
	}
}

func (c *costs) put(key string) error {
	f, err := os.Open(filepath.Join(c.dumps(), filepath.FromSlash(key)))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = c.server.Client().PutObject(context.Background(), &s3.PutObjectInput{Bucket: &c.in, Key: &key, Body: f})
	return err
}

// apply applies what is pending and notes what it cost.
func (c *costs) apply(name string) {
	c.upload()
	cfg, _, diags := config.Load(filepath.Join(c.dir, "conf"), config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		c.t.Fatal(diags)
	}
	e, err := engine.New(c.t.Context(), cfg, engine.Options{Program: "0.1.0", Parallelism: 2})
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := enginetest.Apply(c.t.Context(), e)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.Partial() {
		c.t.Fatalf("%s: %+v", name, res)
	}
	c.note(name, res)
}

func (c *costs) note(name string, res *engine.Result) {
	fmt.Fprintf(&c.text, "%s\n", name)
	for i, x := range res.Traffic {
		fmt.Fprintf(&c.text, "  %s: %d bytes received, %d sent;", []string{"source", "sink"}[i], x.Received, x.Sent)
		for _, op := range slices.Sorted(maps.Keys(x.Requests)) {
			fmt.Fprintf(&c.text, " %s %d", op, x.Requests[op])
		}
		c.text.WriteString("\n")
	}
	for _, x := range res.Tables {
		n := x.Counts
		fmt.Fprintf(&c.text, "  %s: %d rows read; %d added, %d replaced, %d re-keyed; %d files of %d bytes written\n",
			x.Name, n.Read, n.Added, n.Replaced, n.Rekeyed, n.Partitions, n.Written)
	}
}

// longDir makes a folder whose path has the same length everywhere: that of the state
// stands in the sinks, and counts.
func longDir(t *testing.T) string {
	const length = 200
	dir := t.TempDir()
	dir = filepath.Join(dir, strings.Repeat("x", max(1, length-len(dir))))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (c *costs) compare(golden string) {
	got := c.text.String()
	if *flagUpdate {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			c.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		c.t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	was := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(was) || line != was[i] {
			c.t.Errorf("cost now:  %s\nexpected:  %s", line, strings.Join(was[min(i, len(was)):min(i+1, len(was))], ""))
		}
	}
}
