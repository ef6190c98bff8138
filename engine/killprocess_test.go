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
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconcile/internal/failpoint"
)

var flagProcessKills = flag.Int("processkills", 20, "processes that are killed at a random moment")

// The tests of killed processes run this binary again, with these set to what
// the child applies.
const (
	killDirEnv    = "ENGINE_TEST_DIR"
	killHCLEnv    = "ENGINE_TEST_HCL"
	killTuningEnv = "ENGINE_TEST_TUNING"
	killFailEnv   = "ENGINE_TEST_FAILPOINT"
	killForgetEnv = "ENGINE_TEST_FORGET"
	killStateEnv  = "ENGINE_TEST_STATE"
)

// TestKillChild is the child: one apply.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDirEnv)
	if dir == "" {
		t.Skip("it is what other tests run in a process of its own")
	}
	h := &harness{t: t, dir: dir, hcl: os.Getenv(killHCLEnv)}
	h.opts.AllowDestroy = true
	h.opts.ForgetSinks = strings.Fields(os.Getenv(killForgetEnv))
	err := json.Unmarshal([]byte(os.Getenv(killTuningEnv)), &h.tuning)
	if err == nil {
		h.fails, err = failpoint.Parse(os.Getenv(killFailEnv))
	}
	if err != nil {
		t.Fatal(err)
	}
	switch os.Getenv(killStateEnv) {
	case "folder":
		stateInFolder(h)
	case "bucket":
		h.away = &awayState{caches: filepath.Join(dir, "caches")}
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
	b.remote.upload(b.t, filepath.Join(b.dir, "dumps"))
	b.away.expire(b.t)
	tuning, err := json.Marshal(b.tuning)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.t.Context(), os.Args[0], "-test.run=^TestKillChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), killDirEnv+"="+b.dir, killHCLEnv+"="+b.text(), killTuningEnv+"="+string(tuning), killFailEnv+"="+fail,
		killForgetEnv+"="+strings.Join(b.opts.ForgetSinks, " "), killStateEnv+"="+b.away.kind())
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

// killTry is one hit of a point in one case.
type killTry struct {
	point failpoint.Name
	n     int64
}

// killTries gives each of some points a hit in one of the cases, by chance, where any
// reaches it.
func killTries(r *rand.Rand, points []failpoint.Name, hits []map[failpoint.Name]int64) [][]killTry {
	tries := make([][]killTry, len(hits))
	for _, p := range points {
		first := r.Intn(len(hits))
		for k := range hits {
			i := (first + k) % len(hits)
			if hits[i][p] > 0 {
				tries[i] = append(tries[i], killTry{p, 1 + r.Int63n(hits[i][p])})
				break
			}
		}
	}
	return tries
}

// TestExitAtFailpoints ends the process at every point: nothing that an apply
// would still have done in memory or in a deferred function happens.
func TestExitAtFailpoints(t *testing.T) {
	exitAtFailpoints(t, killCases(), failpoint.All(), func(c killCase) *killBed { return newKillBed(t, c, nil) })
}

func exitAtFailpoints(t *testing.T, cases []killCase, points []failpoint.Name, bed func(killCase) *killBed) {
	beds, hits := killBeds(cases, bed)
	tries := killTries(rand.New(rand.NewSource(*flagKillSeed)), points, hits)
	for i, b := range beds {
		t.Run(cases[i].name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b.t = t
			for _, x := range tries[i] {
				b.exitOnce(r, x)
			}
		})
	}
}

func (b *killBed) exitOnce(r *rand.Rand, x killTry) {
	b.t.Helper()
	b.restore()
	what := fmt.Sprintf("%s=exit@%d", x.point, x.n)
	var exit *exec.ExitError
	if err := b.start(what).Wait(); !errors.As(err, &exit) || exit.ExitCode() != 137 {
		b.t.Fatalf("%s: the process ended with %v", what, err)
	}
	b.t.Log(what)
	b.remote.settle()
	b.afterBreak(r)
}

// TestKilledAtAnyMoment kills processes that apply with SIGKILL.
func TestKilledAtAnyMoment(t *testing.T) {
	killedAtAnyMoment(t, killCases(), *flagProcessKills, func(t *testing.T, c killCase) *killBed { return newKillBed(t, c, nil) })
}

func killedAtAnyMoment(t *testing.T, cases []killCase, kills int, bed func(*testing.T, killCase) *killBed) {
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b := bed(t, c)
			b.restore()
			began := time.Now()
			if err := b.start("").Wait(); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			b.checkDone()
			for range (kills + len(cases) - 1) / len(cases) {
				b.restore()
				cmd := b.start("")
				wait := time.Duration(r.Int63n(int64(took)))
				time.Sleep(wait)
				if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				t.Logf("killed after %v of %v: %v", wait, took, cmd.Wait())
				b.remote.settle()
				b.afterBreak(r)
			}
		})
	}
}
