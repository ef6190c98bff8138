package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"reconcile/config"
	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// planElsewhere returns the plan with its inputs, as somebody reads it who got it from
// elsewhere.
func (h *harness) planElsewhere() *plan.Plan {
	h.t.Helper()
	h.remote.upload(h.t, filepath.Join(h.dir, "dumps"))
	h.opts.Inputs = true
	e := h.engine()
	h.opts.Inputs = false
	p, err := e.Plan(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return readBack(h.t, &p.Plan, p.Close())
}

// readBack checks that a plan is what it was after it was written down.
func readBack(t *testing.T, p *plan.Plan, err error) *plan.Plan {
	t.Helper()
	var b, again bytes.Buffer
	err = errors.Join(err, plan.Encode(&b, p))
	out, derr := plan.Decode(b.Bytes())
	if err = errors.Join(err, derr); err != nil {
		t.Fatal(err)
	}
	if err := plan.Encode(&again, out); err != nil || !bytes.Equal(again.Bytes(), b.Bytes()) {
		t.Fatalf("a plan is read back as another one: %v", err)
	}
	for i, x := range p.Tables {
		want, werr := x.Digest()
		got, gerr := out.Tables[i].Digest()
		if err := errors.Join(werr, gerr); err != nil || got != want {
			t.Fatalf("table %s has another digest when it is read back: %v", x.Name, err)
		}
	}
	return out
}

func (h *harness) differences(a, b *plan.Plan) []plan.Difference {
	h.t.Helper()
	out, err := plan.Compare(a, b, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// withOwnFiles leaves out the dumps that list files of others before them: these would be
// written again.
func withOwnFiles(dumps []*model.Dump) (out []*model.Dump) {
	seen := map[string]bool{}
	for _, d := range dumps {
		shared := false
		var keys []string
		for _, e := range d.Entries {
			for _, f := range e.Files {
				shared = shared || seen[f.Key]
				keys = append(keys, f.Key)
			}
		}
		if shared {
			continue
		}
		for _, k := range keys {
			seen[k] = true
		}
		out = append(out, d)
	}
	return out
}

// A plan that is derived again with the dumps that it had has the same digests, whatever
// arrived since, and with all of them other ones.
func TestLaterDumpsLeaveDigests(t *testing.T) {
	var later atomic.Int64
	t.Cleanup(func() {
		if later.Load() == 0 {
			t.Error("no later dump ever changed a plan")
		}
	})
	for seed := range int64(40) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewSource(seed))
			opt := model.GenOptions{Tame: seed%3 == 0}
			if seed%4 == 1 {
				opt.Faults = 0.1
			}
			w := model.Random(r, opt)
			h := newHarness(t, model.RandomConfig(r))
			h.unit, h.tuning = model.RandomUnit(r), tiny(r)
			r.Shuffle(len(w.Dumps), func(i, j int) { w.Dumps[i], w.Dumps[j] = w.Dumps[j], w.Dumps[i] })
			w.Dumps = withOwnFiles(w.Dumps)
			a, b := r.Intn(len(w.Dumps)+1), r.Intn(len(w.Dumps)+1)
			a, b = min(a, b), max(a, b)
			h.arrive(w.Dumps[:a]...)
			if _, err := h.apply(); err != nil {
				t.Fatal(err)
			}
			if r.Intn(2) == 0 {
				h.hcl = model.RandomConfig(r)
			}
			h.opts.NoRefresh = r.Intn(4) == 0
			h.arrive(w.Dumps[a:b]...)
			first := h.planElsewhere()
			if again := h.planElsewhere(); !reflect.DeepEqual(first.Tables, again.Tables) {
				t.Fatalf("two plans of the same moment differ:\n%+v\n%+v", first.Tables, again.Tables)
			}
			h.arrive(w.Dumps[b:]...)
			if diff := h.rederive(first); len(diff) > 0 {
				t.Errorf("later dumps change the plan of earlier ones: %v", diff)
			}
			if b < len(w.Dumps) {
				now := h.planElsewhere()
				if first.Serial == 0 { // each has chosen a lineage
					now.Lineage = first.Lineage
				}
				later.Add(int64(len(h.differences(first, now))))
			}
		})
	}
}

// Each thing that a plan goes by is named when it changes.
func TestInputsAreNamed(t *testing.T) {
	part := func(event, user int) *model.File { return avroPart("event_id user_id v:string", row(event, user, "a")) }
	pending := func() *model.Dump { return dumpOf(3, more("e", part(3, 12))) }
	for want, change := range map[string]func(a *bed){
		"[]":                        func(*bed) {},
		"[{e [the configuration]}]": func(a *bed) { a.hcl += "table \"e\" {\n  column \"v\" { as = \"w\" }\n}\n" },
		"[{e [dump 4 is pending]}]": func(a *bed) { a.arrive(dumpOf(4, more("e", part(4, 12)))) },
		"[{e [the manifest of dump 3]}]": func(a *bed) {
			d := pending()
			d.Entries[0].Files = append(d.Entries[0].Files, part(5, 12))
			a.replace(dumpOf(3, d.Entries...))
		},
		"[{e [the file sync_3/x/part-00000.avro of dump 3]}]":     func(a *bed) { a.replace(dumpOf(3, more("e", part(6, 12)))) },
		"[{e [dump 1 is pending the files in the sink at LAKE]}]": func(a *bed) { a.lose("lake", "e", true) },
		"[{e [the current.json of the sink at LAKE]}]": func(a *bed) {
			a.editCurrent(func(c *sinks.Current) {
				e := c.Tables["e"]
				e.Complete = false
				c.Tables["e"] = e
			})
		},
		"[{e [whether the sink at LAKE was looked at]} {f [whether the sink at LAKE was looked at]} {user_migrations [whether the sink at LAKE was looked at]}]": func(a *bed) {
			a.opts.NoRefresh = true
		},
	} {
		a := twoTables(t)
		a.arrive(pending())
		first := a.planElsewhere()
		change(a)
		got := fmt.Sprint(a.differences(first, a.planElsewhere()))
		if got = strings.ReplaceAll(got, config.Resolve(a.lake()), "LAKE"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A new mapping is an input of every table, and what is committed meanwhile one of its own.
func TestInputsMove(t *testing.T) {
	a := twoTables(t)
	a.arrive(dumpOf(3, more("e", avroPart("event_id user_id", row(3, 12)))))
	first := a.planElsewhere()
	a.run()
	got := a.differences(first, a.planElsewhere())
	if len(got) != 1 || got[0].Table != "e" || !slices.Contains(got[0].What, "the applied dumps") || !slices.Contains(got[0].What, "dump 3 is no longer pending") {
		t.Errorf("after an apply: %v", got)
	}
	first = a.planElsewhere()
	a.arrive(dumpOf(4, full(feed.TableMapping, avroPart("from_user_id to_user_id", row(11, 10), row(12, 10)))))
	got = a.differences(first, a.planElsewhere())
	for _, d := range got {
		if !slices.Contains(d.What, "the user mapping") {
			t.Errorf("after a new mapping: %v", d)
		}
	}
	if len(got) != 3 {
		t.Errorf("after a new mapping: %v", got)
	}
}

// Where nobody asked for the inputs, there are none, and no file is read for them.
func TestInputsAreAskedFor(t *testing.T) {
	a := twoTables(t)
	p := planned(a)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Tables[0].Digest(); !errors.Is(err, plan.ErrNoInputs) {
		t.Error(err)
	}
}
