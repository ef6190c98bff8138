package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/failpoint"
	"reconcile/state"
)

var flagRebuilds = flag.Int("rebuilds", 12, "random worlds that lose their state")

// rebuild is what the command does: lock, plan, make the state anew.
func (h *harness) rebuild() (*StateRebuild, *StateRebuilt, error) {
	ctx := context.Background()
	if h.fails != nil {
		ctx = failpoint.With(ctx, h.fails)
	}
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	e := h.engine()
	l, err := e.store.LockOver(ctx, state.NewHolder("test"), 0)
	if err != nil {
		return nil, nil, err
	}
	defer l.Unlock()
	sr, err := e.PlanRebuild(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	out, err := e.RebuildState(ctx, l, sr)
	return sr, out, err
}

// loseState removes the state.
func (h *harness) loseState() {
	h.t.Helper()
	if err := os.RemoveAll(filepath.Join(h.dir, "state")); err != nil {
		h.t.Fatal(err)
	}
}

// lakeFiles lists the data files of the lake, with sizes and times.
func (h *harness) lakeFiles() []string {
	return slices.DeleteFunc(h.tree(), func(line string) bool { return !strings.Contains(line, ".parquet ") })
}

// TestLostStates loses the state of random worlds after some applies. What is rebuilt is
// what was there, no data file is written, and later applies and changes of the
// configuration go on from it as the model says.
func TestLostStates(t *testing.T) {
	for i := range *flagRebuilds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, nil, func(h *harness, r *rand.Rand) {
				if r.Intn(2) == 0 {
					h.rebuiltAsWas()
				}
			})
		})
	}
}

// rebuiltAsWas loses the state, rebuilds it, and sees that nothing else changed.
func (h *harness) rebuiltAsWas() {
	h.t.Helper()
	before := h.lakeFiles()
	h.loseState()
	_, out, err := h.rebuild()
	if errors.Is(err, errNoLake) {
		return
	}
	if err != nil {
		h.t.Fatal(err)
	}
	if after := h.lakeFiles(); !slices.Equal(before, after) {
		h.t.Fatalf("the rebuild wrote:\n%s\nbefore\n%s\n%+v", strings.Join(after, "\n"), strings.Join(before, "\n"), out.Tables)
	}
	h.check()
	if _, err := h.apply(); err != nil { // holds and judged masks are remembered again
		h.t.Fatal(err)
	}
	if after := h.lakeFiles(); !slices.Equal(before, after) {
		h.t.Fatalf("the apply after the rebuild wrote:\n%s\nbefore\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	h.check()
	h.checkIdle()
}
