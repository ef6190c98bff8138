package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/engine/plan"
	"reconcile/internal/blob/s3test"
)

// loseCopy deletes the bucket of the second sink on S3 and takes the sink out of
// the configuration. What is asked of it from now on passes the gate of the lake.
func (b *sinksBed) loseCopy(hcl string) {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.remote.server.Dir, b.copyBucket())); err != nil {
		b.t.Fatal(err)
	}
	b.remote.gate = s3test.NewGate(b.t, b.remote.server.Endpoint)
	b.prelude, b.hcl = b.remote.prelude()+`sink "parquet" "desk" { path = "../desk" }`, hcl
}

func (b *sinksBed) copyBucket() string {
	bucket, _, _ := strings.Cut(strings.TrimPrefix(b.copy, "s3://"), "/")
	return bucket
}

// checkUnasked checks that nothing was asked of the sink that is gone.
func (b *sinksBed) checkUnasked() {
	b.t.Helper()
	for _, r := range b.remote.gate.Seen() {
		if strings.HasPrefix(r.Path, "/"+b.copyBucket()) {
			b.t.Errorf("the sink that is gone was asked for %s %s", r.Method, r.Path)
		}
	}
}

// heldFor checks that an apply holds tables, each for a reason that has the words.
func (b *sinksBed) heldFor(words string, tables ...string) {
	b.t.Helper()
	res, err := b.apply()
	if err != nil {
		b.t.Fatal(err)
	}
	if len(res.Holds) != len(tables) {
		b.t.Fatalf("held are %+v", res.Holds)
	}
	for i, h := range res.Holds {
		if h.Table != tables[i] || !strings.Contains(h.Reason, words) {
			b.t.Errorf("held is %+v", h)
		}
	}
}

// TestForgottenSinkOnS3 deletes the bucket of a sink that left the configuration:
// its tables wait until it is forgotten, and are right after that.
func TestForgottenSinkOnS3(t *testing.T) {
	before := strings.Replace(tablesIn("sink.parquet.copy, sink.parquet.lake"), "table \"users\" { sinks = [sink.parquet.lake]", `table "sessions" { sinks = [sink.parquet.copy] }
table "users" { sinks = [sink.parquet.copy]`, 1)
	b := newSinksBed(t, before)
	b.arrive(killDumps()[:2]...)
	b.must()
	b.loseCopy(tablesIn("sink.parquet.lake, sink.parquet.desk"))
	b.heldFor("no such bucket", "pageviews", "sessions", "users")
	b.heldFor("-forget-sink="+b.copy+" lets it go", "pageviews", "sessions", "users")

	b.opts.ForgetSinks = []string{b.copy + "/"}
	b.remote.gate.Rule(nil)
	p, err := b.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]plan.Class{}
	for _, x := range p.Tables {
		classes[x.Name] = x.Change.Class
	}
	if err := p.Close(); err != nil || classes["pageviews"] != plan.ClassRewrite || classes["sessions"] != plan.ClassRebuild || classes["users"] != plan.ClassRewrite {
		t.Errorf("planned are %v, %v", classes, err)
	}
	b.arrive(killDumps()[2:]...)
	b.must()
	b.checkUnasked()
}

// TestForgottenSinkWithoutSource lacks the dump that a rebuild would read: what
// another sink holds is copied from there, and what none holds is named as lost.
func TestForgottenSinkWithoutSource(t *testing.T) {
	b := newSinksBed(t, tablesIn("sink.parquet.copy, sink.parquet.lake")+`table "sessions" { sinks = [sink.parquet.copy] }`)
	b.arrive(killDumps()[:2]...)
	b.must()
	b.loseCopy(tablesIn("sink.parquet.lake, sink.parquet.desk"))
	if err := os.Remove(filepath.Join(b.dir, "dumps", "manifests", "sync_1.json")); err != nil {
		t.Fatal(err)
	}
	b.opts.ForgetSinks = []string{b.copy}
	for range 2 { // what is refused forgets nothing
		if _, err := b.apply(); !errors.Is(err, plan.ErrRefused) || !strings.Contains(err.Error(), "table sessions must be rebuilt from the source, where dump 1 is gone") {
			t.Fatal(err)
		}
	}
	b.opts.AcceptLoss = []string{"sessions"}
	if res, err := b.apply(); err != nil || res.Partial() {
		t.Fatalf("%v, %+v", err, res)
	}
	b.hcl += "ignore \"sessions\" {}\n" // the model has its rows
	b.must()
	b.checkUnasked()
}

// TestForgottenSinkOfInterruptedCommit loses a sink between the moves of a commit:
// what was committed is finished in the others.
func TestForgottenSinkOfInterruptedCommit(t *testing.T) {
	for _, point := range interruptedWithSinks {
		t.Run(point, func(t *testing.T) {
			b := newSinksBed(t, tablesIn("sink.parquet.copy, sink.parquet.lake, sink.parquet.desk"))
			b.interruptSecond(point)
			b.loseCopy(tablesIn("sink.parquet.lake, sink.parquet.desk"))
			b.heldFor("-forget-sink="+b.copy+" lets it go", "pageviews", "sessions")
			b.arrive(killDumps()[2:3]...)
			b.opts.ForgetSinks = []string{b.copy}
			b.remote.gate.Rule(nil)
			// More is planned for the table than was committed: that has to wait.
			b.heldFor("its interrupted commit is finished now", "pageviews")
			b.must()
			b.checkUnasked()
		})
	}
}
