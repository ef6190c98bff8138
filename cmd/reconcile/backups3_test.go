package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/blob/s3test"
)

// newBackupBed is a bucketBed whose state is on S3, too.
func newBackupBed(t *testing.T, s *s3test.Server, attributes string) *bucketBed {
	b := newBucketBed(t, s)
	b.configure(fmt.Sprintf(bucketConfig+stateConfig, b.in, s.Endpoint, b.out, s.Endpoint, b.out, s.Endpoint, attributes))
	return b
}

// folder is where the server keeps a folder of the bucket.
func (b *bucketBed) folder(name string) string { return filepath.Join(b.server.Dir, b.out, name) }

// elsewhere goes on on another machine, which has the configuration only.
func (b *bucketBed) elsewhere() {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "main.hcl"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.dir = b.t.TempDir()
	b.configure(string(text))
}

// TestStateRestoredOnS3: a state on S3 is backed up to S3 and to a folder, and brought
// back where it is older than the lake, damaged or gone; repaired, the tables are right.
func TestStateRestoredOnS3(t *testing.T) {
	s := s3test.Start(t)
	b := newBackupBed(t, s, fmt.Sprintf("backup = \"s3://%s\"", "BUCKET"))
	text, err := os.ReadFile(filepath.Join(b.dir, "main.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	b.configure(strings.ReplaceAll(string(text), "s3://BUCKET", "s3://"+b.out+"/nightly"))
	b.deliver(nightOne)
	if out := b.run(0, "apply", "-auto-approve"); !strings.Contains(out, "to s3://"+b.out+"/nightly:") {
		t.Errorf("no backup was made:\n%s", out)
	}
	first := t.TempDir()
	b.run(0, "state", "backup", first)
	b.run(0, "state", "backup", "s3://"+b.out+"/first")
	b.deliver(nightTwo)
	b.run(0, "apply", "-auto-approve")
	want := b.rows()
	repaired := func(what, from string) string {
		t.Helper()
		t.Log(what)
		b.elsewhere()
		out := b.run(0, "state", "restore", from)
		b.run(0, "apply", "-auto-approve", "-repair")
		b.run(0, "plan", "-detailed-exitcode")
		b.wantRows(want)
		return out
	}
	out := repaired("an older state from a folder", first)
	kept := regexp.MustCompile(`backed up in (s3://\S+/state/backups/\S+)`).FindStringSubmatch(out)
	if kept == nil {
		t.Fatalf("the state before was not backed up:\n%s", out)
	}
	repaired("an older state from S3", "s3://"+b.out+"/first")
	repaired("the state before a restore", kept[1])

	b.damageLog()
	b.elsewhere()
	if out := b.run(1, "plan"); !strings.Contains(out, "state restore") {
		t.Errorf("a damaged state does not name what brings it back:\n%s", out)
	}
	repaired("a damaged log", "s3://"+b.out+"/nightly")

	if err := os.RemoveAll(b.folder("state")); err != nil {
		t.Fatal(err)
	}
	repaired("a state that is gone", first)
	b.run(0, "state", "list")
}

// damageLog damages the newest record of the state and all its checkpoints.
func (b *bucketBed) damageLog() {
	b.t.Helper()
	records, err := filepath.Glob(filepath.Join(b.folder("state"), "log", "*"))
	if err != nil || len(records) == 0 {
		b.t.Fatalf("there is no log: %v", err)
	}
	checkpoints, err := filepath.Glob(filepath.Join(b.folder("state"), "checkpoints", "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(records)
	for _, path := range append(checkpoints, records[len(records)-1]) {
		if err := os.Truncate(path, 100); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestStateMovesBetweenKinds: a backup of a state on S3 becomes a local one, and back.
func TestStateMovesBetweenKinds(t *testing.T) {
	s := s3test.Start(t)
	b := newBackupBed(t, s, "")
	b.deliver(nightOne)
	b.run(0, "apply", "-auto-approve")
	onS3, err := os.ReadFile(filepath.Join(b.dir, "main.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	place := t.TempDir()
	b.run(0, "state", "backup", place)
	if err := os.RemoveAll(b.folder("state")); err != nil { // else there would be two
		t.Fatal(err)
	}
	b.elsewhere()
	b.configure(fmt.Sprintf(bucketConfig, b.in, s.Endpoint, b.out, s.Endpoint))
	b.run(0, "state", "restore", place)
	b.run(0, "plan", "-detailed-exitcode")
	b.deliver(nightTwo)
	b.run(0, "apply", "-auto-approve")
	want := b.rows()
	b.run(0, "state", "backup", place)
	if err := errors.Join(os.RemoveAll(b.folder("state")), os.RemoveAll(filepath.Join(b.dir, ".reconcile"))); err != nil {
		t.Fatal(err)
	}
	b.elsewhere()
	b.configure(string(onS3))
	b.run(0, "state", "restore", place)
	b.run(0, "plan", "-detailed-exitcode")
	b.wantRows(want)
}

// TestGoBackOnS3 goes back to the older program, as docs/upgrade.md says, after a newer one has
// raised the format of a state on S3.
func TestGoBackOnS3(t *testing.T) {
	b := newBackupBed(t, s3test.Start(t), "")
	b.deliver(nightOne)
	b.run(0, "apply", "-auto-approve")
	b.deliver(nightTwo)
	b.called = "reconcile-next"
	out := b.run(0, "apply", "-auto-approve")
	kept := regexp.MustCompile(`backed up in (s3://\S+/state/backups/[^\s,]+)`).FindStringSubmatch(out)
	if kept == nil {
		t.Fatalf("the state before was not backed up:\n%s", out)
	}
	want := b.rows()

	b.called = ""
	b.elsewhere()
	if out := b.run(1, "plan"); !strings.Contains(out, "has format 2, written by reconcile 0.2.0; this is reconcile 0.1.0-dev, which reads up to format 1: use reconcile 0.2.0 or later") {
		t.Errorf("the older program says:\n%s", out)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "main.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	b.configure(strings.Replace(string(text), `"state"`, `"back"`, 1))
	b.run(0, "state", "restore", kept[1])
	lost := "-state-lost=s3://" + b.out + "/state"
	b.run(3, "plan", lost)
	b.run(0, "apply", "-auto-approve", "-repair", lost)
	b.run(0, "plan", "-detailed-exitcode")
	b.wantRows(want)
}
