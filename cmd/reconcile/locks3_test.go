package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"reconcile/internal/blob/s3test"
)

const stateConfig = `
reconcile {
  state "s3" {
    bucket           = %q
    prefix           = "state"
    region           = "us-east-1"
    endpoint         = %q
    force_path_style = true
    %s
  }
}
`

// newStateBed is a bed whose state is on S3, too, with a first night to apply.
func newStateBed(t *testing.T, s *s3test.Server) *bucketBed {
	b := newBucketBed(t, s)
	b.configure(fmt.Sprintf(bucketConfig+stateConfig, b.in, s.Endpoint, b.out, s.Endpoint, b.out, s.Endpoint, ""))
	b.deliver(nightOne)
	return b
}

// running is a program that was started in a bed.
type running struct {
	*exec.Cmd
	out *bytes.Buffer
}

// program is command for the program under another name.
func (b *bucketBed) program(name string, args ...string) *running {
	b.t.Helper()
	cmd, out := b.command(args...)
	path, err := exec.LookPath(name)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Path, cmd.Args[0] = path, name
	return &running{cmd, out}
}

// holding starts an apply that holds the lock until let goes.
func (b *bucketBed) holding(program string) *running {
	b.t.Helper()
	cmd := b.program(program, "apply", "-auto-approve")
	_ = os.Remove(filepath.Join(b.dir, "waiting"))
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill() })
	if !appears(filepath.Join(b.dir, "waiting")) {
		b.t.Fatalf("it does not come to read:\n%s", cmd.out)
	}
	return cmd
}

// let lets the holder go on.
func (b *bucketBed) let() {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "go-on"), nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// ends waits for a program that must end with a code, and returns what it printed.
func (r *running) ends(t *testing.T, code int) string {
	t.Helper()
	_ = r.Wait()
	if got := r.ProcessState.ExitCode(); got != code {
		t.Fatalf("it ended with %d, want %d:\n%s", got, code, r.out)
	}
	return r.out.String()
}

func (b *bucketBed) lock() lockLine {
	b.t.Helper()
	var v lockLine
	line := b.run(0, "lock", "show", "-json")
	checkRecord(b.t, "lock", line)
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

func wantText(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("it does not say %q:\n%s", p, text)
		}
	}
}

// TestLeaseIsShown: who holds it is named, one who waits long enough gets it, and
// SIGTERM gives it back.
func TestLeaseIsShown(t *testing.T) {
	b := newStateBed(t, s3test.Start(t))
	wantText(t, b.run(0, "lock", "show"), `The lock of state s3://\S+/state is free`)
	wantText(t, b.run(1, "force-unlock", "-force", "X"), "nobody holds the lock")

	first := b.holding("reconcile-waiting")
	v := b.lock()
	if v.Status != "held" || v.Holder == nil || v.Holder.PID != first.Process.Pid || v.Holder.Command != "apply" || v.Expired ||
		v.TTL != 60 || v.Age == nil || *v.Age > 30 || v.Generation != 1 || v.ID == "" {
		t.Errorf("got %+v", v)
	}
	wantText(t, b.run(0, "lock", "show"), `is held\.`, `renewed     \d+s ago`, `lasts       1m5s`, `expired     no`, v.ID)
	wantText(t, b.run(11, "apply", "-auto-approve"), `process \d+, "apply"`, "force-unlock "+v.ID)
	wantText(t, b.run(1, "force-unlock", "-force", "another"), "has the ID "+v.ID)
	wantText(t, b.run(1, "force-unlock", v.ID), "nobody to ask: give -force")
	if _, err := exec.LookPath("script"); err == nil { // which makes a terminal
		ask := b.program("script", "-qec", "reconcile force-unlock "+v.ID, os.DevNull)
		ask.Stdin = strings.NewReader("no\n")
		if err := ask.Start(); err != nil {
			t.Fatal(err)
		}
		wantText(t, ask.ends(t, 1), "Do you want to take the lock from its holder", "force-unlock cancelled: the answer was not 'yes'")
	}
	b.run(2, "plan", "-detailed-exitcode", "-lock=false")

	second := b.program("reconcile", "apply", "-auto-approve", "-lock-timeout=1m")
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	b.let()
	wantText(t, first.ends(t, 0), `Apply complete! \d tables changed`)
	wantText(t, second.ends(t, 0), "Nothing to change")

	b.deliver(nightTwo)
	_ = os.Remove(filepath.Join(b.dir, "go-on"))
	third := b.holding("reconcile-waiting")
	if err := third.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	b.let()
	third.ends(t, 130)
	if v := b.lock(); v.Status != "free" {
		t.Errorf("after SIGTERM it is %+v", v)
	}
	b.run(0, "apply", "-auto-approve")
}

// TestLeaseIsForced: the holder is stopped, and says why.
func TestLeaseIsForced(t *testing.T) {
	b := newStateBed(t, s3test.Start(t))
	first := b.holding("reconcile-waiting-brief-lease")
	wantText(t, b.run(0, "force-unlock", "-force", b.lock().ID), `is not renewed any more\. It is free 11s after its last renewal: in \d+s`)
	if v := b.lock(); v.Status != "forced" {
		t.Errorf("it is %+v", v)
	}
	time.Sleep(briefTTL)
	b.let()
	wantText(t, first.ends(t, 11), "was lost: it was force-unlocked")
	b.run(0, "apply", "-auto-approve", "-lock-timeout=1m")
	b.run(0, "plan", "-detailed-exitcode")
}

// TestFrozenHolder: an apply that stands still loses its lease to one that waits, and
// names it when it goes on.
func TestFrozenHolder(t *testing.T) {
	b := newStateBed(t, s3test.Start(t))
	first := b.holding("reconcile-waiting-brief-lease")
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.run(0, "apply", "-auto-approve", "-lock-timeout=1m")
	want := b.rows()
	b.let()
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	wantText(t, first.ends(t, 11), `was lost: it was taken over by \S+@\S+ \(process \d+, "apply"\)`)
	b.run(0, "plan", "-detailed-exitcode")
	b.wantRows(want)
}
