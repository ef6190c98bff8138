package engine

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"reconcile/engine/inspect"
	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
)

var flagNights = flag.Int("confignights", 100, "random nights that a plan of the configuration alone sees")

// configDiff is what the configuration changes about the tables of the state.
func (h *harness) configDiff() *planner.ConfigPart {
	h.t.Helper()
	part, err := ConfigDiff(context.Background(), h.engine(), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if part.Diags.HasErrors() {
		h.t.Fatal(part.Diags)
	}
	return part
}

// settingsOf are the settings that entries have, by table.
func settingsOf(entries []plan.ConfigEntry) map[string]bool {
	out := map[string]bool{}
	for _, e := range entries {
		for _, s := range e.Settings {
			out[e.Table+": "+s.String()] = true
		}
	}
	return out
}

// Nights under the old configuration leave what the new one changes as it is, unless they
// bring a table or column that it changes, or a resync takes one away.
func TestConfigDiffOverNights(t *testing.T) {
	nights, changed := 0, 0
	for seed := *flagSeed; nights < *flagNights; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			n, c := nightsOf(t, seed)
			nights, changed = nights+n, changed+c
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d nights brought something that the configuration changes", changed, nights)
	if changed == 0 || changed > nights/2 {
		t.Errorf("%d of %d nights changed what the configuration changes", changed, nights)
	}
}

// nightsOf plays the nights of a world, and says how many there were and how many brought
// something new to the configuration.
func nightsOf(t *testing.T, seed int64) (nights, changed int) {
	r := rand.New(rand.NewSource(seed))
	w := model.Random(r, model.GenOptions{Tame: seed%3 == 0, Redeliveries: 0.2})
	old, unit := model.RandomConfig(r), model.RandomUnit(r)
	next, nextUnit := model.RandomConfig(r), model.RandomUnit(r)
	h := newHarness(t, old)
	var before *planner.ConfigPart
	for _, d := range w.Dumps {
		h.hcl, h.unit, h.tuning = old, unit, tiny(r)
		h.arrive(d)
		if _, err := h.apply(); err != nil {
			t.Fatal(err)
		}
		h.hcl, h.unit = next, nextUnit
		now := h.configDiff()
		if before == nil {
			before = now
			continue
		}
		nights++
		if now.Digest != before.Digest {
			changed++
			had, has := settingsOf(before.Entries), settingsOf(now.Entries)
			if maps.Equal(had, has) {
				t.Fatalf("dump %d brings nothing that the configuration changes, but what it changes is another thing:\n%v\n%v",
					d.ID, plan.CompareConfig(before.Entries, now.Entries), h.config().String()+h.text())
			}
		}
		before = now
	}
	return nights, changed
}

// What the configuration changes is applied from the dumps that the tables have, while
// others are pending, and gives what one apply of these dumps gives. A second time there
// is nothing to do.
func TestConfigOnlyEqualsFromScratch(t *testing.T) {
	for i := range *flagWorlds {
		seed := *flagSeed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			configOnlyWorld(t, seed)
		})
	}
}

// tablesNotInState are the tables of a world that the state does not have: a plan of the
// configuration alone makes none.
func (h *harness) tablesNotInState(w *model.World) []string {
	h.t.Helper()
	shown, err := h.engine().Inspect().Show(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return slices.DeleteFunc(w.Tables(), func(name string) bool {
		return slices.ContainsFunc(shown.Tables, func(t inspect.Table) bool { return t.Name == name })
	})
}

func configOnlyWorld(t *testing.T, seed int64) {
	r := rand.New(rand.NewSource(seed))
	w := model.Random(r, model.GenOptions{Tame: seed%3 == 0, Redeliveries: 0.2})
	h := newHarness(t, model.RandomConfig(r))
	h.unit = model.RandomUnit(r)
	half := 1 + r.Intn(len(w.Dumps))
	h.tuning = tiny(r)
	h.arrive(w.Dumps[:half]...)
	h.must()
	mapping := h.mappingVerdict().Dump
	h.arrive(w.Dumps[half:]...)
	h.hcl, h.opts.ConfigOnly = model.RandomConfig(r), true
	if seed%4 == 1 {
		until := w.Dumps[r.Intn(half)].ID
		h.until = &until
	}
	h.tuning = tiny(r)
	want, unknown := h.configDiff().Entries, h.tablesNotInState(w)
	h.interrupt(r)
	res, err := h.apply()
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Holds) > 0 {
		t.Fatalf("held: %+v\n%+v", res.Holds, want)
	}
	all := h.arrived
	h.arrived = all[:half]
	c := h.comparison(h.config())
	c.Mapping, c.Except, h.arrived = mapping, unknown, all
	c.Check(t)
	if left := h.configDiff(); len(left.Entries) > 0 {
		t.Fatalf("after the apply the configuration still changes %+v; before %+v", left.Entries, want)
	}
	h.checkIdle()
	h.opts.ConfigOnly = false
	h.must()
}
