package rows

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/engine/rules"
)

// decided cuts rows into segments, hands them to a decider and returns what it
// says, and its scratch folder.
func decided(t *testing.T, candidates []rules.Candidate, limit, per int, canon func(int64) int64) (map[uint64]rules.Verdict, string) {
	t.Helper()
	dir := t.TempDir()
	verdicts := NewVerdicts(len(candidates)) // Set is called by several goroutines
	d := NewDecider(dir, limit, canon, func(loc uint64, v rules.Verdict) { verdicts.Set(int(loc), v) })
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		checkEmpty(t, dir)
	})
	for from := 0; from < len(candidates); from += per {
		part := candidates[from:min(from+per, len(candidates))]
		rs := make([]rules.Row, len(part))
		for i, r := range part {
			rs[i] = rules.Row{Key: r.Key, Raw: r.Raw, Ver: r.Ver}
		}
		if err := d.AddSegment(rs, func(i int) uint64 { return part[i].Loc }); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Decide(3, func() {}); err != nil {
		t.Fatal(err)
	}
	out := map[uint64]rules.Verdict{}
	for _, r := range candidates {
		out[r.Loc] = verdicts.Get(int(r.Loc))
	}
	return out, dir
}

// A decider says what Decide says, whether its rows fit in memory or wait in
// files, however they are cut into segments.
func TestDecider(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	var candidates []rules.Candidate
	for i := range 5000 {
		key := r.Int64() >> (10 + r.IntN(52))
		if r.IntN(4) == 0 {
			key = 7 // of a bucket that is too large for memory
		}
		candidates = append(candidates, rules.Candidate{Key: key, Raw: int64(r.IntN(40)) - 20, Ver: uint64(r.IntN(5))<<44 | uint64(i), Loc: uint64(i)})
	}
	canon := func(u int64) int64 { return u / 3 }
	want := map[uint64]rules.Verdict{}
	for _, c := range candidates {
		want[c.Loc] = rules.Publish
	}
	rules.Decide(slices.Clone(candidates), canon, func(loc uint64, v rules.Verdict) { want[loc] = v })
	count := map[rules.Verdict]int{}
	for _, v := range want {
		count[v]++
	}
	if len(count) != 3 {
		t.Fatalf("the rows are too tame: %v", count)
	}
	for _, limit := range []int{0, 1, 100, 4999, 5000, 1 << 20} {
		for _, per := range []int{7, 1024, 5000} {
			t.Run(fmt.Sprintf("%d of %d", limit, per), func(t *testing.T) {
				got, dir := decided(t, candidates, limit, per, canon)
				for loc, v := range got {
					if v != want[loc] {
						t.Fatalf("row %d: verdict %d, want %d", loc, v, want[loc])
					}
				}
				if spilled := len(list(t, dir)) > 0; spilled != (limit < len(candidates)) {
					t.Errorf("of %d rows with a limit of %d some are in files: %v", len(candidates), limit, spilled)
				}
			})
		}
	}
}

// Of a bucket that does not fit in memory no more rows are there at once than the limit,
// beside those that wait to meet others: the rest is in a file.
func TestDeciderLargeBucket(t *testing.T) {
	const count, limit = 5000, 300
	dir := t.TempDir()
	entered, most := 0, 0
	canon := func(u int64) int64 {
		entered++
		most = max(most, entered-contendersIn(t, dir))
		return u
	}
	d := NewDecider(dir, limit, canon, func(uint64, rules.Verdict) {})
	segment := make([]rules.Row, count)
	for i := range segment {
		segment[i] = rules.Row{Key: 7, Raw: int64(i), Ver: 1}
	}
	if err := d.AddSegment(segment, func(i int) uint64 { return uint64(i) }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Decide(1, func() {}), d.Close()); err != nil {
		t.Fatal(err)
	}
	if entered != count || most > limit {
		t.Errorf("of %d rows %d were compared, up to %d of them in memory; the limit is %d", count, entered, most, limit)
	}
	checkEmpty(t, dir)
}

// contendersIn is how many rows the runs in a folder have.
func contendersIn(t *testing.T, dir string) int {
	t.Helper()
	runs, err := filepath.Glob(filepath.Join(dir, "contest-*"))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, name := range runs {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return int(size / contenderSize)
}

// A scratch folder that is not there is an error that names it, and nothing
// panics afterwards.
func TestDeciderNoScratch(t *testing.T) {
	d := NewDecider(t.TempDir()+"/gone", 1, func(u int64) int64 { return u }, func(uint64, rules.Verdict) {})
	err := d.AddSegment(make([]rules.Row, 5), func(i int) uint64 { return uint64(i) })
	if err == nil || !strings.Contains(err.Error(), "scratch folder") || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
