package engine

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/internal/failpoint"
)

var flagRecoveryKills = flag.Int("recoverykills", 2, "times that the recovery of each case is stopped, one after the other")

// publishing are the points at which an apply leaves a commit that is not wholly
// visible.
func publishing() []failpoint.Name {
	return []failpoint.Name{failpoint.PublishMoveBefore, failpoint.PublishMoveAfter, failpoint.PublishRemoveBefore, failpoint.PublishRemoveAfter,
		failpoint.PublishIncomplete, failpoint.PublishComplete, failpoint.PublishClearBefore}
}

// TestKillsInRecovery stops an apply while its commit becomes visible, takes the
// source away, and stops the recovery again and again. What was staged is enough.
func TestKillsInRecovery(t *testing.T) {
	for i, c := range killCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b := newKillBed(t, c, nil)
			hits := b.hits()
			for _, p := range publishing() {
				if hits[p] == 0 || *flagRecoveryKills < 10 && r.Intn(3) > 0 {
					continue
				}
				b.restore()
				n := 1 + r.Int63n(hits[p])
				t.Logf("stopped at %s, hit %d", p, n)
				if _, err := b.disturbed(p, "error", n); !errors.Is(err, failpoint.ErrInjected) {
					t.Fatal(err)
				}
				b.stopRecovery(r, *flagRecoveryKills)
			}
		})
	}
}

// stopRecovery stops the recovery some times, by an error or the end of the process,
// all without the source, then lets it end.
func (b *killBed) stopRecovery(r *rand.Rand, times int) {
	b.t.Helper()
	unfinished := b.checkBroken()
	source, away := filepath.Join(b.dir, "dumps"), filepath.Join(b.dir, "away")
	if err := os.Rename(source, away); err != nil {
		b.t.Fatal(err)
	}
	for range times {
		points := failpoint.All()
		what := fmt.Sprintf("%s=%s@%d", points[r.Intn(len(points))], []string{"error", "exit"}[r.Intn(2)], 1+r.Int63n(3))
		b.t.Log("recovery with ", what)
		if strings.Contains(what, "exit") {
			b.applyWithoutSource(what)
		} else {
			b.recoverDisturbed(what)
		}
		b.checkBroken()
	}
	if err := os.Rename(away, source); err != nil {
		b.t.Fatal(err)
	}
	b.checkRecovery(unfinished)
	b.heal()
}

// applyWithoutSource runs an apply in a process of its own, which ends at the point
// or, after the recovery, for want of a source.
func (b *killBed) applyWithoutSource(fail string) {
	b.t.Helper()
	var exit *exec.ExitError
	if err := b.start(fail).Wait(); !errors.As(err, &exit) || exit.ExitCode() != 137 && exit.ExitCode() != 1 {
		b.t.Fatalf("the process ended with %v", err)
	}
}

func (b *killBed) recoverDisturbed(fail string) {
	b.t.Helper()
	set, err := failpoint.Parse(fail)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.recover(failpoint.With(b.t.Context(), set)); err != nil && !errors.Is(err, failpoint.ErrInjected) {
		b.t.Fatal(err)
	}
}
