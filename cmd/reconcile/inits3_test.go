package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"reconcile/internal/blob/s3test"
)

// locally and remotely configure a bed with its state in a file or on S3.
func (b *bucketBed) locally() {
	b.configure(fmt.Sprintf(bucketConfig, b.in, b.server.Endpoint, b.out, b.server.Endpoint))
}

func (b *bucketBed) remotely(endpoint string) {
	b.configure(fmt.Sprintf(bucketConfig+stateConfig, b.in, b.server.Endpoint, b.out, b.server.Endpoint, b.out, endpoint, ""))
}

// TestInitOnS3: it tries the store, and says what it finds; what is out of reach is an
// error, a right that is missing is none.
func TestInitOnS3(t *testing.T) {
	b := newStateBed(t, s3test.Start(t))
	wantText(t, b.run(0, "init", "-input=false", "-reconfigure", "-upgrade"), `There is no state at s3://\S+/state yet`, "keeps the conditions")
	b.run(0, "apply", "-auto-approve")
	wantText(t, b.run(0, "init"), `The state is s3://\S+/state, of lineage [0-9a-f]{32}, at serial \d+`, "keeps the conditions")

	gate := s3test.NewGate(t, b.server.Endpoint)
	b.remotely(gate.Endpoint)
	refuse := func(r *http.Request) s3test.Fault {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return s3test.NoFault
		}
		return s3test.Denied
	}
	gate.Rule(func(_ int, r *http.Request) s3test.Fault { return refuse(r) })
	wantText(t, b.run(0, "init"), `Not tried whether it can be written: .*access denied`)
	b.run(0, "plan", "-detailed-exitcode")
	gate.Rule(func(int, *http.Request) s3test.Fault { return "404 NoSuchBucket" })
	wantText(t, b.run(1, "init"), "there is no such bucket")
}

// TestFirstConfigurationOnS3: it is written of a bucket, and works as it is.
func TestFirstConfigurationOnS3(t *testing.T) {
	b := newBucketBed(t, s3test.Start(t))
	b.deliver(nightOne)
	if err := os.Remove(filepath.Join(b.dir, "main.hcl")); err != nil {
		t.Fatal(err)
	}
	place := "-from-source=s3://" + b.in + "/export"
	wantText(t, b.run(0, "init", place, "-manifest-bucket=csq-rs3-test", "-region=us-east-1", "-force-path-style", "-endpoint="+b.server.Endpoint), `main\.hcl is written: \d+ tables?`)
	b.run(0, "validate")
	b.run(0, "fmt", "-check")
	b.run(0, "apply", "-auto-approve")
	b.run(0, "plan", "-detailed-exitcode")
	wantText(t, b.run(0, "verify"), `Verified \d+ tables, \d+ rows: all as it should be`)
	wantText(t, b.run(1, "init", place), "nothing of it is overwritten")
}

// TestMirrorOnS3: a copy in another bucket, under another prefix than the one that its
// manifests name, says what it needs, and a first configuration of it has that.
func TestMirrorOnS3(t *testing.T) {
	b := newBucketBed(t, s3test.Start(t))
	b.deliver(nightOne)
	manifests, err := filepath.Glob(filepath.Join(b.server.Dir, b.in, "export", "manifests", "*.json"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	for _, m := range manifests {
		text, err := os.ReadFile(m)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("s3://csq-rs3-test/"), []byte("s3://csq-rs3-test/heap/"))
		if err := os.WriteFile(m, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantText(t, b.run(1, "plan"), `all files begin with heap/, which the source lacks.*set manifest_prefix = "heap"`)
	if err := os.Remove(filepath.Join(b.dir, "main.hcl")); err != nil {
		t.Fatal(err)
	}
	args := []string{"init", "-from-source=s3://" + b.in + "/export", "-region=us-east-1", "-force-path-style", "-endpoint=" + b.server.Endpoint}
	wantText(t, b.run(1, args...), "no dump has arrived that can be used", `which is not in the bucket \S+ \(manifest_bucket = "csq-rs3-test" would allow it\)`)
	b.run(0, append(args, "-manifest-bucket=csq-rs3-test")...)
	b.run(0, "fmt", "-check")
	b.run(0, "apply", "-auto-approve")
	b.run(0, "plan", "-detailed-exitcode")
}

// TestMoveStateToS3 moves a state to S3 and back between two nights, killed on the way.
func TestMoveStateToS3(t *testing.T) {
	s := s3test.Start(t)
	whole := newBucketBed(t, s)
	whole.deliver(nightOne)
	whole.run(0, "apply", "-auto-approve")
	whole.deliver(nightTwo)
	whole.run(0, "apply", "-auto-approve")
	want := whole.rows()

	b := newBucketBed(t, s)
	b.deliver(nightOne)
	b.run(0, "apply", "-auto-approve")
	b.remotely(s.Endpoint)
	wantText(t, b.run(1, "plan"), `the configuration says that the state is s3://\S+/state, but sink\.parquet\.lake at \S+ says that the state that writes it is /\S+/state\.db`, "init -migrate-state")
	wantText(t, b.run(1, "apply", "-auto-approve"), "init -migrate-state")
	for _, point := range []string{"state.commit.after=exit@1", "state.commit.after=exit@2"} { // copied, closed
		cmd := b.program("reconcile-brief-lease", "init", "-migrate-state", "-lock-timeout=2m")
		cmd.Env = append(cmd.Env, failpointEnv+"="+point)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmd.ends(t, 137)
		wantText(t, b.run(1, "plan"), `is being moved here from /\S+/state\.db, and that was not finished`)
	}
	wantText(t, b.run(0, "init", "-migrate-state", "-lock-timeout=2m"), `was moved from /\S+/state\.db to s3://\S+/state: \d+ objects?`)
	b.run(0, "plan", "-detailed-exitcode")

	b.locally()
	wantText(t, b.run(1, "plan"), `was moved to s3://\S+/state and is closed`)
	b.remotely(s.Endpoint)
	if err := os.RemoveAll(filepath.Join(b.dir, ".reconcile")); err != nil { // another machine
		t.Fatal(err)
	}
	b.deliver(nightTwo)
	b.run(0, "apply", "-auto-approve")
	b.wantRows(want)

	b.locally()
	wantText(t, b.run(1, "apply", "-auto-approve"), "init -migrate-state")
	b.run(0, "init", "-migrate-state")
	b.run(0, "plan", "-detailed-exitcode")
	b.remotely(s.Endpoint)
	wantText(t, b.run(1, "show"), `was moved to /\S+/state\.db and is closed`)
}
