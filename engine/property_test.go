package engine

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"path/filepath"
	"slices"
	"testing"

	"reconcile/engine/model"
	"reconcile/internal/failpoint"
)

var (
	flagWorlds = flag.Int("worlds", 30, "random worlds of the master property")
	flagSeed   = flag.Int64("seed", 1, "first seed of the master property")
)

const prelude = `
source "local" { path = "../dumps" }
reconcile { 
  state "local" { path = "../state/state.db" }
  scratch_dir = "../scratch"
}
sink "parquet" "lake" { path = "../lake" }
`

// grow goes on with the files that are not complete. It must come before every
// apply: what is compared is what was applied last.
func (h *harness) grow(r *rand.Rand) bool {
	h.t.Helper()
	found, err := model.Grow(h.arrived, r, filepath.Join(h.dir, "dumps"))
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// mappingVerdict is what the model says of the mappings that have arrived.
func (h *harness) mappingVerdict() model.MappingVerdict {
	h.t.Helper()
	return model.MappingFor(h.unskipped(h.config()), model.Guard{From: h.tuning.GuardFrom, Passed: h.passed})
}

// accept accepts the mapping that a guard holds, if one does.
func (h *harness) accept() {
	h.t.Helper()
	h.opts.Accept = nil
	if v := h.mappingVerdict(); v.Tripped != nil {
		h.opts.Accept = []string{fmt.Sprintf("user_migrations@%d", v.Tripped.ID)}
		h.passed[v.Tripped.ID] = true
		h.accepted++
	}
}

// checkGuard compares with the model what guards hold after an apply.
func (h *harness) checkGuard(res *Result) {
	h.t.Helper()
	v := h.mappingVerdict()
	if v.Dump != nil {
		h.passed[v.Dump.ID] = true
	}
	got, want := []string{}, h.trippedTables()
	for _, held := range res.Holds {
		if held.Guard != "" {
			got = append(got, held.Accept)
		}
	}
	if v.Tripped != nil {
		want = append(want, fmt.Sprintf("user_migrations@%d", v.Tripped.ID))
	}
	if slices.Sort(got); len(want) > 0 {
		h.tripped++
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		h.t.Fatalf("guards hold %q instead of %q:\n%s", got, want, &model.World{Dumps: h.arrived})
	}
	h.notePassed()
}

// tiny makes little data take every path.
func tiny(r *rand.Rand) Tuning {
	t := Tuning{GroupRows: 1 + r.Intn(5), SpillGroup: 1 + r.Intn(4), HashBits: 8, Inline: []int{1, 1 << 10, 0}[r.Intn(3)], IndexRuns: 1 + r.Intn(3), Settle: 1, FingerprintFrom: 1}
	if r.Intn(2) == 0 {
		t.Memory = 1 + r.Intn(60_000)
	}
	if r.Intn(2) == 0 {
		t.AppendAt, t.CutAt = 1, []int{1, 4 << 10, 0}[r.Intn(3)]
	}
	t.NoDelta = r.Intn(4) == 0
	if t.IndexRuns == 1 {
		t.Probe = t.GroupRows * t.SpillGroup
	}
	if t.GroupRows%2 == 0 {
		t.WideFrom = 2 * t.SpillGroup
	}
	return t
}

// TestMasterProperty applies random exports in random order and grouping, with
// changes of the configuration in between, and compares with the model after
// every apply.
func TestMasterProperty(t *testing.T) {
	for i := range *flagWorlds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed, inFolders, nil)
		})
	}
}

// inFolders leaves a harness as it is made.
func inFolders(*harness) {}

// randomWorld plays the world of a seed, where place says. after is what happens when an
// apply was checked, nil for nothing.
func randomWorld(t *testing.T, seed int64, place func(*harness), after func(h *harness, r *rand.Rand)) {
	r := rand.New(rand.NewSource(seed))
	opt := model.GenOptions{Tame: seed%3 == 0}
	if seed%4 == 1 {
		opt.Faults = 0.1
	}
	if seed%2 == 0 {
		opt.Redeliveries = 0.2
	}
	guardFrom := 0
	if seed%5 == 2 {
		opt.Shrinks, guardFrom = 0.4, 1+int(seed/5)%8
	}
	if seed%5 >= 3 {
		opt.Growing = 0.25
	}
	w := model.Random(r, opt)
	h := newHarness(t, model.RandomConfig(r))
	h.unit = model.RandomUnit(r)
	place(h)
	var back *rand.Rand // decides on until_dump: nil for none
	if seed%3 == 1 {
		back = rand.New(rand.NewSource(seed))
	}
	if after != nil {
		also := rand.New(rand.NewSource(seed)) // so that the world stays what it is
		h.after = func() { after(h, also) }
	}
	order := slices.Clone(w.Dumps)
	switch r.Intn(3) {
	case 0:
		slices.Reverse(order)
	case 1:
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	h.unchecked = opt.Faults > 0 && !slices.IsSortedFunc(order, func(a, b *model.Dump) int { return cmp.Compare(a.ID, b.ID) })
	for len(order) > 0 {
		n := 1 + r.Intn(min(3, len(order)))
		h.tuning = tiny(r)
		h.tuning.GuardFrom = guardFrom
		h.exact = r.Intn(5) == 0 && opt.Faults == 0
		h.grow(r)
		h.arrive(order[:n]...)
		order = order[n:]
		h.goBack(back, w)
		h.interrupt(back)
		if guardFrom > 0 && r.Intn(4) == 0 {
			h.accept()
		}
		h.must()
	}
	h.exact = false
	h.until = nil
	healed := false
	for _, d := range h.arrived {
		if d.Held("pageviews", model.Plain{}) != "" || opt.Faults > 0 {
			if err := d.Heal(filepath.Join(h.dir, "dumps")); err != nil {
				t.Fatal(err)
			}
			healed = true
		}
	}
	if healed {
		h.unchecked = slices.ContainsFunc(h.arrived, (*model.Dump).Unclear) && h.unchecked
		h.grow(r)
		h.must()
	}
	for range r.Intn(3) {
		h.hcl, h.unit = model.RandomConfig(r), model.RandomUnit(r)
		h.goBack(back, w)
		h.tuning = tiny(r)
		h.tuning.GuardFrom = guardFrom
		h.grow(r)
		h.must()
	}
	h.until = nil
	for h.grow(r) || back != nil {
		h.tuning = tiny(r)
		h.tuning.GuardFrom = guardFrom
		h.must()
		back = nil
	}
}

// interrupt sometimes makes an apply fail at some point.
func (h *harness) interrupt(r *rand.Rand) {
	h.t.Helper()
	if r == nil || r.Intn(3) > 0 {
		return
	}
	points := []failpoint.Name{failpoint.StageClose, failpoint.ObjectWrite, failpoint.StateCommitBefore, failpoint.StateCommitAfter,
		failpoint.PublishIncomplete, failpoint.PublishMoveAfter, failpoint.PublishRemoveBefore, failpoint.PublishComplete, failpoint.PublishClearAfter}
	_, _, err := h.applyFailing(fmt.Sprintf("%s=error@%d", points[r.Intn(len(points))], 1+r.Intn(3)))
	if err != nil && !errors.Is(err, failpoint.ErrInjected) {
		h.t.Fatal(err)
	}
}

// goBack sets until_dump, lowers, raises or removes it, or leaves it as it is.
func (h *harness) goBack(r *rand.Rand, w *model.World) {
	if r == nil {
		return
	}
	switch r.Intn(5) {
	case 0:
		h.until = nil
	case 1, 2, 3:
		id := w.Dumps[r.Intn(len(w.Dumps))].ID - int64(r.Intn(2))
		h.until = &id
	}
}
