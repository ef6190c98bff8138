package engine

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"reconcile/engine/enginetest"
	"reconcile/engine/model"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/feed"
)

var flagPlans = flag.Int("plans", 100, "plans that are made beside applies")

// TestPlanBesideApply: a plan that is made while applies run finds neither drift nor a
// foreign file, is not held, and does not fail.
func TestPlanBesideApply(t *testing.T) { plansBesideApplies(t, newBesideBed(t), *flagPlans) }

// TestPlanBesideApplyOnS3 is TestPlanBesideApply there.
func TestPlanBesideApplyOnS3(t *testing.T) {
	buckets := onS3(t)
	a := newBesideBed(t)
	a.remote = buckets()
	a.prelude = a.remote.prelude()
	plansBesideApplies(t, a, max(*flagPlans/10, 10))
}

func newBesideBed(t *testing.T) *bed {
	a := newBed(t, `
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "f" { partition_by = [] }
table "users" { sinks = [sink.parquet.lake] }
table "user_migrations" { sinks = [sink.parquet.lake] }
`)
	a.tuning = Tuning{GroupRows: 4, Settle: 1, FingerprintFrom: 1, AppendAt: 1, CutAt: 4 << 10}
	return a
}

// besideDump is the n-th of a stream of dumps that touch old partitions and make new
// ones; now and then a table is resynced, and partitions go with that.
func besideDump(n int) *model.Dump {
	day := func(k int) string { return fmt.Sprintf("2026-01-%02d", 1+k%9) }
	events := func() *model.File {
		return avroPart("event_id user_id time v:string", row(n, n%7, day(n), "a"), row(n+1, n%5, day(n+3), "b"), row(n/2, n%7, day(n/2), "c"))
	}
	e, f := more("e", events()), more("f", events())
	if n%5 == 4 {
		e = full("e", avroPart("event_id user_id time", row(n, n%7, day(n))))
	}
	return dumpOf(int64(n), e, f, more("users", avroPart("user_id v:string", row(n%7, fmt.Sprint(n)))),
		full(feed.TableMapping, avroPart("from_user_id to_user_id", row(n%7, (n+1)%7))))
}

func plansBesideApplies(t *testing.T, a *bed, plans int) {
	cfg := a.config()
	engineOf := func(ask planner.Options) *Engine {
		e, err := New(t.Context(), cfg, Options{Options: ask, Program: "0.1.0", Parallelism: 2, Tuning: a.tuning})
		if err != nil {
			t.Error(err)
			return nil
		}
		return e
	}
	a.run(besideDump(1))
	applied := make(chan error, 1)
	var stop atomic.Bool
	go func() {
		err := error(nil)
		for n := 2; err == nil && !stop.Load(); n++ {
			d := besideDump(n)
			if err = d.Write(filepath.Join(a.dir, "dumps")); err == nil {
				a.remote.upload(t, filepath.Join(a.dir, "dumps"))
				_, err = enginetest.Apply(t.Context(), engineOf(planner.Options{}))
			}
		}
		applied <- err
	}()
	blind := 0
	for i := range plans {
		// Half of them only compare the sinks with the state.
		p, err := engineOf(planner.Options{RefreshOnly: i%2 == 1}).Plan(t.Context())
		if errors.Is(err, errBesideApplies) {
			blind++
			continue
		}
		if err != nil {
			t.Errorf("plan %d: %v", i, err)
			break
		}
		if p.Blind {
			blind++
		}
		for _, h := range p.Holds {
			t.Errorf("plan %d: held: %+v", i, h)
		}
		for _, tp := range p.Tables {
			if len(tp.Drift) > 0 || tp.Action == plan.Rebuild || len(tp.Removes) > 0 {
				t.Errorf("plan %d: table %s: %v %v", i, tp.Name, tp.Drift, tp.Change.Reasons)
			}
		}
		if len(p.Restated) > 0 {
			t.Errorf("plan %d: %v is written again", i, p.Restated)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d plans did not look at the sink", blind, plans)
	if blind > plans/2 {
		t.Errorf("%d of %d plans did not look at the sink", blind, plans)
	}
}
