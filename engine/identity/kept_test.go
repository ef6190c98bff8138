package identity

import (
	"math/rand/v2"
	"testing"
)

func TestKept(t *testing.T) {
	build := func(ids map[int64]bool) *Mapping {
		b := NewBuilder()
		for id := range ids {
			b.Add(Entry{From: id, To: 7})
		}
		m, _ := b.Build(2)
		return m
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		sets, both := [2]map[int64]bool{{}, {}}, 0
		for i := range sets {
			for range rng.IntN(9000) {
				sets[i][rng.Int64N(20_000)-10_000] = true
			}
		}
		for id := range sets[0] {
			if sets[1][id] {
				both++
			}
		}
		if got := build(sets[0]).Kept(build(sets[1])); got != both {
			t.Fatalf("%d of %d are in %d, not %d", both, len(sets[0]), len(sets[1]), got)
		}
	}
	if n := build(map[int64]bool{1: true}).Kept(nil); n != 0 {
		t.Errorf("%d are in no mapping", n)
	}
}
