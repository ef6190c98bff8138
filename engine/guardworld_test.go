package engine

import (
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"reconcile/engine/model"
)

var flagGuardWorlds = flag.Int("guard-worlds", 10, "random worlds whose mappings shrink, empty out and come back")

// TestGuardProperty applies exports whose mapping of a hundred users or more shrinks
// and comes back, in random order and grouping, some of them skipped for a while. After every apply the content and
// what is held are those of the model, which judges all that has arrived.
func TestGuardProperty(t *testing.T) {
	tripped, accepted := 0, 0
	for i := range *flagGuardWorlds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			h := guardWorld(t, seed)
			tripped += h.tripped
			accepted += h.accepted
		})
	}
	if 2*tripped < *flagGuardWorlds || accepted == 0 {
		t.Errorf("guards held something after %d applies, %d were accepted", tripped, accepted)
	}
}

func guardWorld(t *testing.T, seed int64) *harness {
	r := rand.New(rand.NewSource(seed))
	w := model.Random(r, model.GenOptions{Dumps: 7, Events: 1, Rows: 6, Users: 110 + r.Intn(60), Shrinks: 0.5, Tame: seed%2 == 0})
	h := newHarness(t, model.RandomConfig(r))
	if seed%3 == 0 {
		r.Shuffle(len(w.Dumps), func(i, j int) { w.Dumps[i], w.Dumps[j] = w.Dumps[j], w.Dumps[i] })
	}
	for dumps := slices.Clone(w.Dumps); len(dumps) > 0; {
		n := 1 + r.Intn(min(3, len(dumps)))
		h.tuning = tiny(r)
		h.arrive(dumps[:n]...)
		dumps = dumps[n:]
		if h.prelude = prelude; r.Intn(3) == 0 {
			h.prelude = skipping(int(h.arrived[r.Intn(len(h.arrived))].ID))
		}
		h.must()
		if r.Intn(3) == 0 {
			h.accept()
			h.must()
		}
	}
	h.accept()
	h.must()
	return h
}
