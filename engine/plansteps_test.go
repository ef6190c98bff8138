package engine

import (
	"context"
	"strings"
	"sync"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/native"
	"reconcile/engine/plan"
	"reconcile/engine/steps"
)

// taskOf makes the task of a changed first step of a planned table.
func (a *bed) taskOf(table string, change func(*plan.Step)) *exec.Task {
	a.t.Helper()
	e := a.engine()
	p, err := e.Plan(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	defer p.Close()
	for _, t := range p.Drafts {
		if t.Name != table {
			continue
		}
		step := t.Steps[0]
		change(&step)
		s, err := e.stepMaker().On(a.t.Context(), 0, p.Snap, steps.Order{Plan: p, Table: t, Step: step})
		if err != nil {
			a.t.Fatal(err)
		}
		return s.Task
	}
	a.t.Fatalf("table %s is not in the plan", table)
	return nil
}

// What a task does is what its step says, whatever else is known of the table.
func TestTasksFollowTheirSteps(t *testing.T) {
	a := twoTables(t)
	a.hcl = "sink \"parquet\" \"pond\" { path = \"../pond\" }\n" + strings.ReplaceAll(lakeTables, "[sink.parquet.lake]", "[sink.parquet.lake, sink.parquet.pond]")
	a.run()
	a.hcl += "table \"e\" { on_cast_error = \"fail\" }\n"
	var pond string
	as := func(change func(*plan.Step)) *exec.Task { return a.taskOf("e", change) }
	asPlanned := as(func(s *plan.Step) {
		if s.Kind != plan.StepChange || s.Class != plan.ClassMetadata {
			t.Errorf("the plan has the step %+v", s)
		}
	})
	pond = asPlanned.Stored.Sinks[1]
	if asPlanned.Step != exec.StepConfig || !asPlanned.Permitted.Metadata || asPlanned.Fresh {
		t.Errorf("as planned: %+v", asPlanned)
	}
	if x := as(func(s *plan.Step) { s.Class = plan.ClassRewrite }); x.Permitted.Metadata || !x.Permitted.Bulk || x.Fresh || x.Stored.ReadFrom != 0 {
		t.Errorf("a rewrite: %+v", x)
	}
	if x := as(func(s *plan.Step) { s.Class, s.ReadFrom = plan.ClassRewrite, pond }); x.Stored.ReadFrom != 1 {
		t.Errorf("a rewrite from the second sink: %+v", x.Stored)
	}
	if x := as(func(s *plan.Step) { s.Class = plan.ClassRebuild }); !x.Fresh || len(x.Deliveries) != 1 || len(x.Stored.Partitions) == 0 {
		t.Errorf("a rebuild: %+v", x)
	}
	if x := as(func(s *plan.Step) { s.Class, s.Before = plan.ClassRebuild, new(int64) }); len(x.Deliveries) != 0 {
		t.Errorf("a rebuild from what is before dump 0: %+v", x.Deliveries)
	}
	if x := as(func(s *plan.Step) { s.Class, s.Repair = plan.ClassRebuild, true }); !x.Fresh || len(x.Stored.Partitions) != 0 || x.NewMapping == nil {
		t.Errorf("a repair: %+v", x)
	}
	if x := as(func(s *plan.Step) { s.Class, s.Without = plan.ClassRewrite, []string{"damaged"} }); x.Fresh || len(x.Stored.Index) != 0 || len(x.Stored.Partitions) == 0 {
		t.Errorf("a rewrite without the index: %+v", x)
	}
	if x := as(func(s *plan.Step) { *s = plan.Step{Kind: plan.StepTake} }); x.Step != exec.StepDumps || !x.Permitted.Delta || !x.FailCasts {
		t.Errorf("dumps: %+v", x)
	}
}

// A step at the mapping in force is another one than a step at the mapping where the table
// stands.
func TestStepsSayTheirMapping(t *testing.T) {
	a := twoTables(t)
	a.arrive(dumpOf(2, full("user_migrations", avroPart("from_user_id to_user_id", row(10, 11)))))
	for remaps, dump := range map[bool]int64{false: 1, true: 2} {
		x := a.taskOf("e", func(s *plan.Step) { *s = plan.Step{Kind: plan.StepChange, Class: plan.ClassRebuild, Remaps: remaps} })
		if x.NewMapping == nil || x.NewMapping.Dump != dump {
			t.Errorf("remaps %t: the mapping is %+v", remaps, x.NewMapping)
		}
	}
}

// seenTasks is the executor of this process, and keeps the tasks that it carried out.
type seenTasks struct {
	mu    sync.Mutex
	plans map[string]string
}

// Execute implements exec.Executor.
func (s *seenTasks) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	s.mu.Lock()
	s.plans[t.Table] = t.Plan
	s.mu.Unlock()
	return native.Executor{}.Execute(ctx, t, env)
}

// A task names the digest of its table in the plan, if the plan was made with the inputs
// that the digest is of. An apply of its own plan takes none.
func TestTasksNameTheirPlan(t *testing.T) {
	for _, inputs := range []bool{false, true} {
		a := twoTables(t)
		seen := &seenTasks{plans: map[string]string{}}
		a.executor, a.opts.Inputs = seen, inputs
		a.arrive(dumpOf(2, more("e", avroPart("event_id user_id", row(3, 12)))))
		want := ""
		if inputs {
			p := planned(a)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			for _, x := range p.Tables {
				if x.Name == "e" {
					want = digestOf(t, x)
				}
			}
		}
		a.run()
		if got, ok := seen.plans["e"]; !ok || got != want {
			t.Errorf("with inputs %t: the task names %q, %t; the digest is %q", inputs, got, ok, want)
		}
	}
}

func digestOf(t *testing.T, x *plan.Table) string {
	t.Helper()
	d, err := x.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The only sink of a table without rows is forgotten, and another one is there: nothing
// is to be read from anywhere.
func TestEmptyTableGoesElsewhere(t *testing.T) {
	a := newBed(t, lakeTables)
	a.run(dumpOf(1, full("e", avroPart("event_id user_id"))))
	old := a.lake()
	a.hcl = "sink \"parquet\" \"pond\" { path = \"../pond\" }\n" + strings.ReplaceAll(lakeTables, "sink.parquet.lake", "sink.parquet.pond")
	a.prelude = strings.Replace(prelude, "sink \"parquet\" \"lake\" { path = \"../lake\" }", "", 1)
	a.opts.ForgetSinks = []string{old}
	a.held(a.run())
	a.opts.ForgetSinks = nil
	a.checkIdle()
}
