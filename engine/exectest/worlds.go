package exectest

import (
	"cmp"
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/engine"
	"reconcile/engine/exec"
	"reconcile/engine/model"
)

// playWorlds applies random exports in random order and grouping, with changes of the
// configuration in between, and compares with the model after every apply.
func playWorlds(t *testing.T, e exec.Executor, seen *coverage) {
	for seed := range int64(*flagWorlds) {
		t.Run(fmt.Sprintf("seed=%d", seed+1), func(t *testing.T) { playWorld(t, e, seen, seed+1) })
	}
}

// smallThresholds make little data take every path.
func smallThresholds(r *rand.Rand) engine.Tuning {
	t := engine.Tuning{GroupRows: 1 + r.Intn(5), SpillGroup: 1 + r.Intn(4), HashBits: 8, Inline: []int{1, 1 << 10, 0}[r.Intn(3)],
		IndexRuns: 1 + r.Intn(3), Settle: 1, FingerprintFrom: 1, NoDelta: r.Intn(4) == 0}
	if r.Intn(2) == 0 {
		t.Memory = 1 + r.Intn(60_000)
	}
	if r.Intn(2) == 0 {
		t.AppendAt, t.CutAt = 1, []int{1, 4 << 10, 0}[r.Intn(3)]
	}
	if t.IndexRuns == 1 {
		t.Probe = t.GroupRows
	}
	if t.GroupRows%2 == 0 {
		t.WideFrom = 2 * t.SpillGroup
	}
	return t
}

// worldOptions are those of the world of a seed: some have faults, redeliveries, files
// that grow.
func worldOptions(seed int64) model.GenOptions {
	o := model.GenOptions{Tame: seed%3 == 0}
	if seed%4 == 1 {
		o.Faults = 0.1
	}
	if seed%2 == 0 {
		o.Redeliveries = 0.3
	}
	if seed%5 >= 3 {
		o.Growing = 0.25
	}
	return o
}

func playWorld(t *testing.T, e exec.Executor, seen *coverage, seed int64) {
	r := rand.New(rand.NewSource(seed))
	opt := worldOptions(seed)
	w := model.Random(r, opt)
	b := newBed(t, e, seen, "")
	order := slices.Clone(w.Dumps)
	switch r.Intn(3) {
	case 0:
		slices.Reverse(order)
	case 1:
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	sorted := slices.IsSortedFunc(order, func(a, b *model.Dump) int { return cmp.Compare(a.ID, b.ID) })
	b.unchecked = opt.Faults > 0 && !sorted
	b.configure(r)
	for len(order) > 0 {
		n := 1 + r.Intn(min(3, len(order)))
		b.tuning = smallThresholds(r)
		b.grow(r)
		b.arrive(order[:n]...)
		order = order[n:]
		b.must()
	}
	if opt.Faults > 0 {
		b.heal()
	}
	for range 1 + r.Intn(2) {
		b.configure(r)
		b.tuning = smallThresholds(r)
		b.grow(r)
		b.must()
	}
	for b.grow(r) {
		b.must()
	}
}

// heal makes all files good.
func (b *bed) heal() {
	b.t.Helper()
	for _, d := range b.arrived {
		if err := d.Heal(b.path("dumps")); err != nil {
			b.t.Fatal(err)
		}
	}
	b.unchecked = b.unchecked && slices.ContainsFunc(b.arrived, (*model.Dump).Unclear)
	b.must()
}

// configure makes the configuration another one, whose masks have the planted key.
func (b *bed) configure(r *rand.Rand) {
	b.hcl, b.unit = strings.ReplaceAll(model.RandomConfig(r), `"k1"`, strconv.Quote(maskKey)), model.RandomUnit(r)
}

// grow goes on with the files that are not complete. It must come before every apply:
// what is compared is what was applied last.
func (b *bed) grow(r *rand.Rand) bool {
	b.t.Helper()
	found, err := model.Grow(b.arrived, r, b.path("dumps"))
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}
