package engine

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"reconcile/engine/health"
	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
)

// health judges the site of a harness now.
func (h *harness) health(o health.Options) *health.Health {
	h.t.Helper()
	out, err := h.engine().Health().Read(h.t.Context(), o, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// TestHealthAgreesWithPlans plays random exports: what status says is not applied, a plan
// takes or holds, and what a plan takes status says.
func TestHealthAgreesWithPlans(t *testing.T) {
	worlds := 1 + *flagWorlds/2
	met := map[string]int{}
	for seed := range int64(worlds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			r := rand.New(rand.NewSource(seed))
			opt := model.GenOptions{Tame: seed%3 == 0}
			if seed%2 == 1 {
				opt.Faults = 0.1
			}
			w := model.Random(r, opt)
			h := newHarness(t, model.RandomConfig(r))
			h.unit = model.RandomUnit(r)
			h.tuning = Tuning{Settle: 1, GuardFrom: 3}
			order := slices.Clone(w.Dumps)
			if r.Intn(2) == 0 {
				r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			}
			for len(order) > 0 {
				n := 1 + r.Intn(min(3, len(order)))
				h.arrive(order[:n]...)
				order = order[n:]
				if r.Intn(4) == 0 {
					h.until = &w.Dumps[r.Intn(len(w.Dumps))].ID
				}
				h.agree(met)
				if r.Intn(3) > 0 {
					if _, err := h.apply(); err != nil {
						t.Fatal(err)
					}
					h.agree(met)
				}
				h.until = nil
			}
		})
	}
	for _, what := range []string{"pending", "held", "nothing", "mapping"} {
		if met[what] < worlds/3 {
			t.Errorf("only %d tables with %s", met[what], what)
		}
	}
}

// agree compares what status says of each table with what a plan does.
func (h *harness) agree(met map[string]int) {
	h.t.Helper()
	p, err := h.engine().Plan(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	defer p.Close()
	said := map[string]*health.Table{}
	now := h.health(health.Options{})
	for i := range now.Tables {
		said[now.Tables[i].Name] = &now.Tables[i]
	}
	held := func(table string) bool {
		return slices.ContainsFunc(p.Holds, func(x plan.Hold) bool { return x.Table == table })
	}
	for _, t := range p.Tables {
		s := said[t.Name]
		if s == nil && t.Action != plan.Destroy {
			h.t.Fatalf("status does not name %s, a plan does", t.Name)
		}
		if s == nil {
			continue
		}
		takes := len(slices.DeleteFunc(slices.Clone(t.Dumps), func(d plan.DumpStep) bool { return d.Again }))
		switch {
		case held(t.Name):
			met["held"]++
			if s.Unapplied < takes {
				h.t.Fatalf("%s is held: status says that %d dumps are not applied, a plan takes %d", t.Name, s.Unapplied, takes)
			}
		case t.Name == feed.TableMapping:
			if takes > 0 && s.Unapplied == 0 && now.Mapping.Waiting == nil {
				h.t.Fatalf("status says that %s is applied, a plan takes %+v", t.Name, t.Dumps)
			}
		case s.Unapplied != takes:
			h.t.Fatalf("%s: status says that %d dumps are not applied, a plan takes %d: %+v", t.Name, s.Unapplied, takes, t.Dumps)
		case takes > 0:
			met["pending"]++
		default:
			met["nothing"]++
		}
		delete(said, t.Name)
	}
	for name, s := range said {
		if s.Unapplied > 0 && !held(name) {
			h.t.Fatalf("%s: status says that %d dumps are not applied, a plan does not name it", name, s.Unapplied)
		}
	}
	if waits, takes := now.Mapping.Waiting != nil, p.NewMapping != nil; takes && !waits {
		h.t.Fatalf("status says that the mapping is applied, a plan takes that of dump %d", p.NewMapping.Dump)
	} else if waits {
		met["mapping"]++
		if !takes && !held(feed.TableMapping) {
			h.t.Fatalf("status says that the mapping of dump %d is not applied, a plan does not take it", now.Mapping.Waiting.Dump)
		}
	}
}
