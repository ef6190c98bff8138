package main

import (
	"bytes"
	"errors"
	"flag"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reconcile/engine/model"
)

var (
	flagRaces   = flag.Int("races", 1, "exports that several processes apply at once")
	flagSeed    = flag.Int64("seed", 1, "first seed of the exports that processes race for")
	flagSignals = flag.Int("signals", 12, "applies that get a signal at a random moment")
)

const folderConfig = `
source "local" { path = "dumps" }
sink "parquet" "lake" { path = "lake" }
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`

// folderBed is a folder in which the program works, and a random export that
// arrives there dump by dump.
type folderBed struct {
	t     *testing.T
	dir   string
	world *model.World
}

func newFolderBed(t *testing.T, seed int64) *folderBed {
	t.Helper()
	b := &folderBed{t: t, dir: t.TempDir()}
	b.world = model.Random(rand.New(rand.NewSource(seed)), model.GenOptions{Dumps: 6, Rows: 200, Users: 40, Tame: true})
	err := errors.Join(os.MkdirAll(filepath.Join(b.dir, "dumps", "manifests"), 0o755),
		os.WriteFile(filepath.Join(b.dir, "main.hcl"), []byte(folderConfig), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *folderBed) arrive(d *model.Dump) {
	b.t.Helper()
	if err := d.Write(filepath.Join(b.dir, "dumps")); err != nil {
		b.t.Fatal(err)
	}
}

// apply is the program, about to be started.
func (b *folderBed) apply() (*exec.Cmd, *bytes.Buffer) {
	var out bytes.Buffer
	cmd := exec.Command("reconcile", "-chdir="+b.dir, "apply", "-auto-approve")
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// end applies undisturbed, and compares the lake with that of one apply of all.
func (b *folderBed) end() {
	b.t.Helper()
	for range 2 {
		cmd, out := b.apply()
		if err := cmd.Run(); err != nil {
			b.t.Fatalf("%v:\n%s", err, out)
		}
	}
	fresh := &folderBed{t: b.t, dir: b.t.TempDir()}
	for _, name := range []string{"dumps", "main.hcl"} {
		if err := os.Symlink(filepath.Join(b.dir, name), filepath.Join(fresh.dir, name)); err != nil {
			b.t.Fatal(err)
		}
	}
	cmd, out := fresh.apply()
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%v:\n%s", err, out)
	}
	if got, want := b.rows(), fresh.rows(); !slices.Equal(got, want) {
		b.t.Fatalf("%d rows are not the %d of one apply", len(got), len(want))
	}
	for _, dir := range []string{"lake/_reconcile/staging", ".reconcile/scratch"} {
		if left, _ := os.ReadDir(filepath.Join(b.dir, dir)); len(left) > 0 {
			b.t.Errorf("%s is left over in %s", left[0].Name(), dir)
		}
	}
}

// rows are the rows of the lake as readers find them, sorted.
func (b *folderBed) rows() []string {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "lake", "*", "*.parquet"))
	deeper, err2 := filepath.Glob(filepath.Join(b.dir, "lake", "*", "*", "*.parquet"))
	var out []string
	for _, f := range append(files, deeper...) {
		rel, _ := filepath.Rel(b.dir, filepath.Dir(f))
		rows, err := rowsOf(f)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, r := range rows {
			out = append(out, rel+" "+r)
		}
	}
	if err := errors.Join(err, err2); err != nil || len(out) == 0 {
		b.t.Fatalf("%d rows, %v", len(out), err)
	}
	slices.Sort(out)
	return out
}

// TestRacingApplies lets several processes apply to one state while dumps arrive.
// One at a time does, the others are told who it is.
func TestRacingApplies(t *testing.T) {
	for i := range int64(*flagRaces) {
		b := newFolderBed(t, *flagSeed+i)
		b.arrive(b.world.Dumps[0])
		done := make(chan struct{})
		var racers sync.WaitGroup
		for range 4 {
			racers.Go(func() { b.race(done) })
		}
		for _, d := range b.world.Dumps[1:] {
			cmd, out := b.apply()
			if code := exitCode(t, cmd); code != exitLocked && !taken(code, out) {
				t.Errorf("ended with %d:\n%s", code, out)
			}
			b.arrive(d)
		}
		close(done)
		racers.Wait()
		b.end()
	}
}

// race applies until it is told to stop.
func (b *folderBed) race(done chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		cmd, out := b.apply()
		switch code := exitCode(b.t, cmd); {
		case code == exitLocked && !strings.Contains(out.String(), "is locked by"):
			b.t.Errorf("does not say who holds the lock:\n%s", out)
			return
		case code != exitLocked && !taken(code, out):
			b.t.Errorf("ended with %d:\n%s", code, out)
			return
		}
	}
}

// taken reports whether an apply took what there was: all of it, but for a table with a file
// of which another copy arrived while it was at work. Two dumps can list one file.
func taken(code int, out *bytes.Buffer) bool {
	return code == exitDone || code == exitPartial && strings.Contains(out.String(), "the file has changed since the plan was made")
}

// exitCode runs a program; -1 says that a signal ended it.
func exitCode(t *testing.T, cmd *exec.Cmd) int {
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("%v", err)
		return exitError
	}
	return cmd.ProcessState.ExitCode()
}

// TestSignalsAtAnyMoment interrupts and terminates applies, some of them twice.
// Whatever they came to, the next ones go on from there.
func TestSignalsAtAnyMoment(t *testing.T) {
	r := rand.New(rand.NewSource(*flagSeed))
	first := newFolderBed(t, 1)
	first.arrive(first.world.Dumps[0])
	began := time.Now()
	first.end()
	took := time.Since(began) / 3
	for left := *flagSignals; left > 0; {
		b := newFolderBed(t, r.Int63())
		for _, d := range b.world.Dumps {
			b.arrive(d)
			for range 2 {
				b.signal(r, took)
				left--
			}
		}
		b.end()
	}
}

// signal applies, and sends a signal or two meanwhile: an apply takes about so long.
func (b *folderBed) signal(r *rand.Rand, took time.Duration) {
	b.t.Helper()
	cmd, out := b.apply()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	for range 1 + r.Intn(2) {
		time.Sleep(time.Duration(r.Int63n(int64(took))))
		sig := []os.Signal{syscall.SIGINT, syscall.SIGTERM}[r.Intn(2)]
		if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			b.t.Fatal(err)
		}
	}
	err := cmd.Wait()
	code := cmd.ProcessState.ExitCode()
	b.t.Logf("ended with %d", code)
	if code != exitDone && code != exitInterrupted && code != -1 { // -1: it had not begun to listen
		b.t.Fatalf("ended with %v:\n%s", err, out)
	}
	if strings.Contains(out.String(), "goroutine ") {
		b.t.Fatalf("it panicked:\n%s", out)
	}
}
