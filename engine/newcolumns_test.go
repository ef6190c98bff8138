package engine

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/definition"
	"reconcile/state"
)

// TestNewColumnsOfWorlds plays random exports under random configurations: what a plan says
// of new columns and their masks is what its apply makes of them, but for columns that no
// manifest lists.
func TestNewColumnsOfWorlds(t *testing.T) {
	met := map[string]int{}
	for seed := range int64(2 + *flagWorlds/4) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewSource(700 + seed))
			w := model.Random(r, model.GenOptions{Tame: seed%3 == 0})
			h := newHarness(t, model.RandomConfig(r))
			h.unit = model.RandomUnit(r)
			h.tuning = Tuning{Settle: 1, GuardFrom: 3}
			order := slices.Clone(w.Dumps)
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for len(order) > 0 {
				n := 1 + r.Intn(min(3, len(order)))
				h.arrive(order[:n]...)
				order = order[n:]
				p, err := h.engine().Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				tables := p.Tables
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				before := h.columns()
				if _, err := h.apply(); err != nil {
					t.Fatal(err)
				}
				after := h.columns()
				for _, table := range tables {
					if table.Action == plan.Create || table.Action == plan.Update {
						checkNewColumns(t, table, before[table.Name], after[table.Name], met)
					}
				}
			}
		})
	}
	for _, what := range []string{"new", "first", "masked", "dropped"} {
		if met[what] == 0 {
			t.Errorf("no column was %s", what)
		}
	}
}

// columns are those of each table in the state.
func (h *harness) columns() map[string][]state.Column {
	out := map[string][]state.Column{}
	for name, table := range h.snapshot().Tables {
		out[name] = table.Columns
	}
	return out
}

func checkNewColumns(t *testing.T, p *plan.Table, before, after []state.Column, met map[string]int) {
	t.Helper()
	find := func(list []state.Column, name string) *state.Column {
		for i, c := range list {
			if c.Name == name || c.Mask == string(definition.MaskDrop) && c.Delivered == name {
				return &list[i]
			}
		}
		return nil
	}
	for _, name := range p.NewColumns {
		if find(before, name) != nil || find(after, name) == nil {
			t.Errorf("table %s: %q is no new column: %v, %v", p.Name, name, before, after)
		}
		met["new"]++
		if p.Action == plan.Create {
			met["first"]++
		}
	}
	masks := map[string]string{}
	for _, m := range p.NewMasks {
		masks[m.Column] = m.Method
	}
	for _, c := range after {
		name := c.Name
		if c.Mask == string(definition.MaskDrop) {
			name = c.Delivered
		}
		if find(before, name) != nil || !c.Listed {
			continue
		}
		if dropped := c.Mask == string(definition.MaskDrop); slices.Contains(p.NewColumns, name) == dropped || masks[name] != c.Mask {
			t.Errorf("table %s: the plan says %v and %v of %+v, before %+v, dumps %+v", p.Name, p.NewColumns, p.NewMasks, c, before, p.Dumps)
		}
		switch c.Mask {
		case "":
		case string(definition.MaskDrop):
			met["dropped"]++
		default:
			met["masked"]++
		}
	}
}
