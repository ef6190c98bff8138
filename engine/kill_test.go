package engine

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/zeebo/xxh3"

	"reconcile/internal/failpoint"
)

var (
	flagKills    = flag.Int("kills", 1, "hits of each failpoint that are tried in each case, 0 for all")
	flagKillSeed = flag.Int64("killseed", 1, "seed of the tests that interrupt")
)

// digest returns that of a file's bytes, empty when there is none.
func (b *killBed) digest(path string) string {
	b.t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		b.t.Fatal(err)
	}
	sum := xxh3.Hash128(data).Bytes()
	return hex.EncodeToString(sum[:])
}

// hits runs the case undisturbed and counts how often each point is reached.
func (b *killBed) hits() map[failpoint.Name]int64 {
	b.t.Helper()
	b.restore()
	const never = 1 << 40
	var items []string
	for _, p := range failpoint.All() {
		items = append(items, fmt.Sprintf("%s=error@%d", p, never))
	}
	_, set, err := b.applyFailing(strings.Join(items, ","))
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[failpoint.Name]int64{}
	for _, p := range failpoint.All() {
		out[p] = set.Hits(p)
	}
	b.checkDone()
	return out
}

// pick chooses which hits of a point are tried: the first and the last ones
// among them.
func pickHits(r *rand.Rand, total int64, most int) []int64 {
	var all []int64
	for n := int64(1); n <= total; n++ {
		all = append(all, n)
	}
	if most <= 0 || len(all) <= most {
		return all
	}
	if most == 1 {
		return []int64{1 + r.Int63n(total)}
	}
	out := []int64{1 + r.Int63n(total), total}
	for len(out) < most {
		out = append(out, 1+r.Int63n(total))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestFailpoints makes every case fail at every point, and checks that readers
// are not misled, that recovery needs nothing but what was staged, and that the
// next apply ends where an undisturbed one does.
func TestFailpoints(t *testing.T) {
	reached := make(chan map[failpoint.Name]int64, 100)
	t.Run("cases", func(t *testing.T) {
		for i, c := range killCases() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				b := newKillBed(t, c, nil)
				hits := b.hits()
				reached <- hits
				b.failEverywhere(rand.New(rand.NewSource(*flagKillSeed+int64(i))), hits, *flagKills)
			})
		}
	})
	close(reached)
	total := map[failpoint.Name]int64{}
	for hits := range reached {
		for p, n := range hits {
			total[p] += n
		}
	}
	for _, p := range failpoint.All() {
		if total[p] == 0 && !t.Failed() && !slices.Contains(failpoint.Away(), p) && !slices.Contains(failpoint.Commands(), p) {
			t.Errorf("no case reaches the point %s", p)
		}
	}
}

// killBeds makes the bed of each case, and counts the points that it reaches undisturbed.
func killBeds(cases []killCase, bed func(killCase) *killBed) ([]*killBed, []map[failpoint.Name]int64) {
	beds, hits := make([]*killBed, len(cases)), make([]map[failpoint.Name]int64, len(cases))
	for i, c := range cases {
		beds[i] = bed(c)
		hits[i] = beds[i].hits()
	}
	return beds, hits
}

// failAt lets the beds fail at some points: at one hit of each in one of the beds, or
// with most at as many in each of them.
func failAt(t *testing.T, seed int64, beds []*killBed, hits []map[failpoint.Name]int64, points []failpoint.Name, most int) {
	tries := killTries(rand.New(rand.NewSource(seed)), points, hits)
	for i, b := range beds {
		t.Run(b.c.name, func(t *testing.T) {
			t.Parallel()
			b.t = t
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			if most > 0 {
				b.failEverywhere(r, hits[i], most)
				return
			}
			for _, x := range tries[i] {
				t.Logf("%s=error@%d", x.point, x.n)
				b.failOnce(r, x.point, "error", x.n)
			}
		})
	}
}

func (b *killBed) failEverywhere(r *rand.Rand, hits map[failpoint.Name]int64, most int) {
	t := b.t
	for _, p := range failpoint.All() {
		actions := []string{"error"}
		switch p {
		case failpoint.StageWrite, failpoint.SpillWrite, failpoint.ObjectWrite:
			actions = append(actions, "enospc")
		}
		for _, action := range actions {
			for _, n := range pickHits(r, hits[p], most) {
				what := fmt.Sprintf("%s=%s@%d", p, action, n)
				if !t.Run(what, func(t *testing.T) {
					b.t = t
					defer func(was *testing.T) { b.t = was }(b.t)
					b.failOnce(r, p, action, n)
				}) {
					b.t = t
					return
				}
				b.t = t
			}
		}
	}
}

// overcome reports whether an error at a point need not be one of the apply: it is like
// a lost answer, or only a checkpoint fails.
func overcome(p failpoint.Name) bool {
	switch p {
	case failpoint.LeaseAfter, failpoint.RecordAfter, failpoint.CheckpointBefore, failpoint.CheckpointAfter:
		return true
	}
	return false
}

// failOnce plays the case with one failure, sometimes with a second one in the
// apply that recovers.
func (b *killBed) failOnce(r *rand.Rand, p failpoint.Name, action string, n int64) {
	b.t.Helper()
	b.restore()
	want := failpoint.ErrInjected
	if action == "enospc" {
		want = syscall.ENOSPC
	}
	reached, err := b.disturbed(p, action, n)
	if reached >= n && !errors.Is(err, want) && !(err == nil && overcome(p)) {
		b.t.Fatalf("the apply ended with %v", err)
	}
	if reached < n && err != nil {
		b.t.Fatal(err)
	}
	b.afterBreak(r)
}

// afterBreak checks what an interrupted apply left, and that it heals.
func (b *killBed) afterBreak(r *rand.Rand) {
	b.t.Helper()
	unfinished := b.checkBroken()
	if r.Intn(3) == 0 {
		points := failpoint.All()
		p, n := points[r.Intn(len(points))], 1+r.Int63n(3)
		if _, err := b.disturbed(p, "error", n); err != nil && !errors.Is(err, failpoint.ErrInjected) {
			b.t.Fatalf("again, with %s@%d: %v", p, n, err)
		}
		unfinished = b.checkBroken()
	}
	if len(unfinished) > 0 && r.Intn(2) == 0 {
		b.checkRecovery(unfinished)
	}
	b.heal()
}
