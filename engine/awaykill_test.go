package engine

import (
	"path/filepath"
	"regexp"
	"testing"

	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/state"
)

// The tests that interrupt, with the state in an object store. What one machine leaves,
// its lease too, another one finishes, which has an empty cache.

// awayCases are the cases with a state that collects what it can at once.
func awayCases() []killCase {
	cases := killCases()
	for i := range cases {
		cases[i].tuning.Lease.Day = 1
		if cases[i].tuning.Inline == 1 {
			cases[i].tuning.Inline = -1
		}
	}
	return cases
}

// checkAway looks at what lies in the place of a state in an object store: nothing but
// what the state is made of, and all that it names.
func (b *killBed) checkAway(snap *state.Snapshot) {
	b.t.Helper()
	if b.away == nil {
		return
	}
	known := regexp.MustCompile(`^(lease|log/\d{20}|checkpoints/\d{20}-[0-9a-f]{64}|objects/[0-9a-z-]+)$`)
	have := map[string]bool{}
	for _, f := range killFiles(b.away.dir) {
		rel, err := filepath.Rel(b.away.dir, f)
		if err != nil {
			b.t.Fatal(err)
		}
		have[filepath.ToSlash(rel)] = true
		if !known.MatchString(filepath.ToSlash(rel)) && !blob.IsTemp(rel) { // those a folder has of killed writers
			b.t.Errorf("%s is left over", f)
		}
	}
	for ref := range snap.Refs() {
		if ref.Name != "" && !have["objects/"+ref.Name] {
			b.t.Errorf("object %s of the state is gone", ref.Name)
		}
	}
}

// TestFailpointsWithStateAway hits each point in one of the cases, or as often as the
// flag says in all of them.
func TestFailpointsWithStateAway(t *testing.T) {
	beds, hits := killBeds(awayCases(), func(c killCase) *killBed { return newKillBed(t, c, nil, stateInFolder) })
	total := map[failpoint.Name]int64{}
	for i := range hits {
		for p, n := range hits[i] {
			total[p] += n
		}
	}
	for _, p := range failpoint.Away() {
		if total[p] == 0 {
			t.Errorf("no case reaches the point %s", p)
		}
	}
	most := 0 // one hit of each point in one of the cases
	if *flagKills > 1 {
		most = *flagKills
	}
	failAt(t, *flagKillSeed+200, beds, hits, append(failpoint.All(), failpoint.Away()...), most)
}

// TestExitAtFailpointsWithStateAway ends the process at each point.
func TestExitAtFailpointsWithStateAway(t *testing.T) {
	exitAtFailpoints(t, awayCases(), failpoint.All(), func(c killCase) *killBed { return newKillBed(t, c, nil, stateInFolder) })
}

// TestExitAtFailpointsWithStateOnS3 ends it at those that only such a state has, with
// all else on S3, too.
func TestExitAtFailpointsWithStateOnS3(t *testing.T) {
	bed := bedOnS3(t)
	var cases []killCase
	for _, c := range awayCases() {
		if c.name == "delta" || c.name == "mask" {
			cases = append(cases, c)
		}
	}
	exitAtFailpoints(t, cases, failpoint.Away(), func(c killCase) *killBed { return bed(t, c) })
}

// bedOnS3 makes beds that have everything on one server.
func bedOnS3(t *testing.T) func(t *testing.T, c killCase) *killBed {
	buckets := onS3(t)
	return func(t *testing.T, c killCase) *killBed {
		pair := buckets()
		return newKillBed(t, c, pair, func(h *harness) { stateInBucket(t, h, pair.server, pair.server.Endpoint) })
	}
}

// TestKilledAtAnyMomentWithStateAway kills processes with SIGKILL.
func TestKilledAtAnyMomentWithStateAway(t *testing.T) {
	var cases []killCase
	for i, c := range awayCases() {
		if *flagProcessKills > 20 || i%4 == 1 {
			cases = append(cases, c)
		}
	}
	killedAtAnyMoment(t, cases, max(*flagProcessKills/3, 1), func(t *testing.T, c killCase) *killBed { return newKillBed(t, c, nil, stateInFolder) })
}
