package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"testing"
	"time"

	"reconcile/internal/failpoint"
)

var flagProcessKills = flag.Int("processkills", 30, "processes that are killed at a random moment")

// The tests of killed processes run this binary again, with these set to what
// the child applies.
const (
	killDirEnv    = "ENGINE_TEST_DIR"
	killHCLEnv    = "ENGINE_TEST_HCL"
	killTuningEnv = "ENGINE_TEST_TUNING"
	killFailEnv   = "ENGINE_TEST_FAILPOINT"
)

// TestKillChild is the child: one apply.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDirEnv)
	if dir == "" {
		t.Skip("it is what other tests run in a process of its own")
	}
	h := &harness{t: t, dir: dir, hcl: os.Getenv(killHCLEnv)}
	h.opts.AllowDestroy = true
	err := json.Unmarshal([]byte(os.Getenv(killTuningEnv)), &h.tuning)
	if err == nil {
		h.fails, err = failpoint.Parse(os.Getenv(killFailEnv))
	}
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("applying\n")
	if _, err := h.apply(); err != nil {
		t.Fatal(err)
	}
}

// start runs an apply of the case in a process of its own, and returns when it
// is about to begin.
func (b *killBed) start(fail string) *exec.Cmd {
	b.t.Helper()
	tuning, err := json.Marshal(b.tuning)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.t.Context(), os.Args[0], "-test.run=^TestKillChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), killDirEnv+"="+b.dir, killHCLEnv+"="+b.prelude+b.hcl, killTuningEnv+"="+string(tuning), killFailEnv+"="+fail)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "applying\n" {
		b.t.Fatalf("the child said %q, %v", line, err)
	}
	return cmd
}

// TestExitAtFailpoints ends the process at every point: nothing that an apply
// would still have done in memory or in a deferred function happens.
func TestExitAtFailpoints(t *testing.T) {
	r := rand.New(rand.NewSource(*flagKillSeed))
	type try struct {
		point failpoint.Name
		n     int64
	}
	cases := killCases()
	beds, hits := make([]*killBed, len(cases)), make([]map[failpoint.Name]int64, len(cases))
	tries := make([][]try, len(cases))
	for i, c := range cases {
		beds[i] = newKillBed(t, c)
		hits[i] = beds[i].hits()
	}
	for _, p := range failpoint.All() {
		i := r.Intn(len(cases))
		for hits[i][p] == 0 {
			i = (i + 1) % len(cases)
		}
		tries[i] = append(tries[i], try{p, 1 + r.Int63n(hits[i][p])})
	}
	for i, b := range beds {
		t.Run(cases[i].name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			for _, x := range tries[i] {
				b.t = t
				b.restore()
				what := fmt.Sprintf("%s=exit@%d", x.point, x.n)
				var exit *exec.ExitError
				if err := b.start(what).Wait(); !errors.As(err, &exit) || exit.ExitCode() != 137 {
					t.Fatalf("%s: the process ended with %v", what, err)
				}
				t.Log(what)
				b.afterBreak(r)
			}
		})
	}
}

// TestKilledAtAnyMoment kills processes that apply with SIGKILL.
func TestKilledAtAnyMoment(t *testing.T) {
	cases := killCases()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b := newKillBed(t, c)
			b.restore()
			began := time.Now()
			if err := b.start("").Wait(); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			b.checkDone()
			for range (*flagProcessKills + len(cases) - 1) / len(cases) {
				b.restore()
				cmd := b.start("")
				wait := time.Duration(r.Int63n(int64(took)))
				time.Sleep(wait)
				if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				t.Logf("killed after %v of %v: %v", wait, took, cmd.Wait())
				b.afterBreak(r)
			}
		})
	}
}
