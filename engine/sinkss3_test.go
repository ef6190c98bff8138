package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/engine/plan"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/internal/blob/s3test"
	"reconcile/internal/feed"
)

// sinksBed has a lake on S3, another one there behind a gate of its own, and one
// in a folder.
type sinksBed struct {
	*harness
	far   *s3test.Gate
	copy  string // root of the second one on S3
	desk  string // folder
	hangs bool   // the one behind the gate does not answer: it is soon given up
}

func newSinksBed(t *testing.T, hcl string) *sinksBed {
	s := s3test.Start(t)
	s.Setenv(t)
	h := newHarness(t, hcl)
	h.remote = newBucketPair(t, s)
	b := &sinksBed{harness: h, far: s3test.NewGate(t, s.Endpoint), copy: "s3://" + s.Bucket(t) + "/deep/copy", desk: filepath.Join(h.dir, "desk")}
	h.tuning.S3 = func(o *s3blob.Options) {
		o.Retry, o.Idle = blob.Retry{Attempts: 2, Wait: time.Millisecond}, 30*time.Second
		if b.hangs {
			o.Idle = 2 * time.Second // a busy machine is silent for a while too
		}
	}
	h.prelude = h.remote.prelude() + fmt.Sprintf(`
sink "parquet" "copy" {
  path = %q
  endpoint = %q
  force_path_style = true
  region = "us-east-1"
}
sink "parquet" "desk" { path = "../desk" }
`, b.copy, b.far.Endpoint)
	return b
}

// tablesIn is killConfig with the sinks of event tables, and the users at home.
func tablesIn(list string) string {
	return fmt.Sprintf(`
table "*" {
  sinks = [%s]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.desk] }
`, list)
}

// losePartFiles takes everything but the manifests out of the source.
func (b *sinksBed) losePartFiles() {
	b.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(b.dir, "dumps", "sync_*"))
	for _, d := range dirs {
		err = errors.Join(err, os.RemoveAll(d))
	}
	if err != nil || len(dirs) == 0 {
		b.t.Fatal(err, dirs)
	}
}

// TestNewSinkOnS3 adds sinks: what they hold is copied from those that are
// there, and none of it read from the source.
func TestNewSinkOnS3(t *testing.T) {
	b := newSinksBed(t, tablesIn("sink.parquet.lake"))
	b.arrive(killDumps()[:3]...)
	b.must()
	b.losePartFiles()
	b.hcl = tablesIn("sink.parquet.lake, sink.parquet.copy, sink.parquet.desk")
	b.must()
	if n := len(killFiles(b.folder(b.copy))); n < 5 {
		t.Errorf("the new sink has %d files", n)
	}
	// The old one may go; what is left is copied on.
	b.hcl = tablesIn("sink.parquet.desk")
	b.must()
	if left := killFiles(filepath.Join(b.folder(b.copy), "pageviews")); len(left) > 0 {
		t.Errorf("the sink that left still has %q", left)
	}
}

// TestUnreachableSinkOnS3 is about one of three sinks that is away: its tables
// wait, in all their sinks, and the others go on.
func TestUnreachableSinkOnS3(t *testing.T) {
	hcl := strings.Replace(tablesIn("sink.parquet.lake, sink.parquet.desk"), "table \"users\"", `table "pageviews" { sinks = [sink.parquet.lake, sink.parquet.copy] }
table "users"`, 1)
	for _, fault := range []s3test.Fault{s3test.Internal, s3test.Hangs, s3test.LostAnswer} {
		t.Run(string(fault), func(t *testing.T) {
			b := newSinksBed(t, hcl)
			b.arrive(killDumps()[:1]...)
			b.must()
			was := len(killFiles(b.folder(b.copy)))
			b.arrive(killDumps()[1:2]...)
			b.far.From(1, fault)
			b.hangs = fault == s3test.Hangs
			res, err := b.apply()
			b.hangs = false
			if err != nil {
				t.Fatal(err)
			}
			changed := map[string]bool{}
			for _, x := range res.Tables {
				changed[x.Name] = x.Err == nil
			}
			if changed["pageviews"] || !changed["sessions"] || !changed["users"] || !changed[feed.TableMapping] {
				t.Errorf("changed were %v", changed)
			}
			if len(res.Holds) != 1 || res.Holds[0].Table != "pageviews" || !strings.Contains(res.Holds[0].Reason, b.copy) {
				t.Errorf("held were %+v", res.Holds)
			}
			if !res.Partial() || len(killFiles(b.folder(b.copy))) != was {
				t.Errorf("partial %v; the sink that is away has other files than before", res.Partial())
			}
			b.far.Rule(nil)
			b.must()
		})
	}
}

// interruptedWithSinks are points between the moves of a commit in three sinks.
var interruptedWithSinks = []string{"publish.current.incomplete=error@2", "publish.move.after=error@4", "publish.current.complete=error@3", "publish.clear.before=error@1"}

// interruptSecond applies a dump, and is interrupted while it applies another one.
func (b *sinksBed) interruptSecond(point string) {
	b.t.Helper()
	b.arrive(killDumps()[:1]...)
	b.must()
	b.arrive(killDumps()[1:2]...)
	b.interruptAt(point)
}

// TestSinksRecoverOnS3 interrupts the commit of a table with three sinks between
// its moves, then lets one sink be away while the next apply recovers.
func TestSinksRecoverOnS3(t *testing.T) {
	for _, point := range interruptedWithSinks {
		t.Run(point, func(t *testing.T) {
			b := newSinksBed(t, tablesIn("sink.parquet.lake, sink.parquet.copy, sink.parquet.desk"))
			b.interruptSecond(point)
			b.far.From(1, s3test.Internal)
			res, err := b.apply()
			if err != nil || len(res.Holds) == 0 || !res.Partial() {
				t.Fatalf("%v, %+v", err, res)
			}
			b.far.Rule(nil)
			b.must()
		})
	}
}

// damage changes what is in a bucket behind the program's back.
func (b *sinksBed) remove(file string) {
	b.t.Helper()
	bucket, key := b.object(file)
	if _, err := b.remote.server.Client().DeleteObject(b.t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *sinksBed) put(file string, data []byte) {
	b.t.Helper()
	bucket, key := b.object(file)
	_, err := b.remote.server.Client().PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
	if err != nil {
		b.t.Fatal(err)
	}
}

// object names a file of the server as an object.
func (b *sinksBed) object(file string) (bucket, key string) {
	rel, err := filepath.Rel(b.remote.server.Dir, file)
	if err != nil {
		b.t.Fatal(err)
	}
	bucket, key, _ = strings.Cut(filepath.ToSlash(rel), "/")
	return bucket, key
}

func (b *sinksBed) drift() (change plan.ConfigDiff) {
	b.t.Helper()
	p, err := b.engine().Plan(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer p.Close()
	for _, x := range p.Tables {
		if len(x.Drift) > 0 {
			return x.Change
		}
	}
	return change
}

// TestDriftOnS3 finds objects that are missing, changed or foreign by listing.
func TestDriftOnS3(t *testing.T) {
	b := newSinksBed(t, tablesIn("sink.parquet.lake"))
	b.arrive(killDumps()[:2]...)
	b.must()
	files := killFiles(filepath.Join(b.lake(), "pageviews"))
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b.remove(files[0])
	if c := b.drift(); c.Class != plan.ClassRebuild || !strings.Contains(c.Reasons[0], "missing") {
		t.Errorf("a missing object is planned as %+v", c)
	}
	b.must()
	b.put(files[1], whole)
	if c := b.drift(); c.Class != plan.ClassRebuild || !strings.Contains(c.Reasons[0], "changed") {
		t.Errorf("a changed object is planned as %+v", c)
	}
	b.must()
	// The same content again, as a restored backup has it, is no drift.
	now, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	b.put(files[1], now)
	b.checkIdle()
	b.put(filepath.Join(b.lake(), "pageviews", "stray.txt"), nil)
	b.checkIdle()
	foreign := filepath.Join(b.lake(), "pageviews", "date=2026-01-01", "foreign.parquet")
	b.put(foreign, whole)
	if _, err := b.apply(); err == nil || !strings.Contains(err.Error(), "pageviews/date=2026-01-01/foreign.parquet") {
		t.Errorf("a foreign object: %v", err)
	}
	b.remove(foreign)
	b.checkIdle()
}

// TestDriftIsMendedFromAnotherSink loses files of one sink, and then the source.
func TestDriftIsMendedFromAnotherSink(t *testing.T) {
	b := newSinksBed(t, tablesIn("sink.parquet.lake, sink.parquet.copy, sink.parquet.desk"))
	b.arrive(killDumps()[:2]...)
	b.must()
	b.losePartFiles()
	lake, away := killFiles(filepath.Join(b.lake(), "pageviews")), killFiles(filepath.Join(b.folder(b.copy), "pageviews"))
	junk := []byte("junk")
	for _, step := range []func(){
		func() { b.remove(lake[0]) },
		func() { b.put(lake[1], junk) },
		func() { b.remove(away[1]); b.put(away[0], junk); b.remove(lake[0]) },
	} {
		step()
		if c := b.drift(); c.Class != plan.ClassRewrite || !strings.HasSuffix(c.Reasons[0], " does") {
			t.Errorf("planned as %+v", c)
		}
		b.must()
	}
}
