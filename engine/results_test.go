package engine

import (
	"context"
	"strings"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/native"
)

// changedResults is the executor of this process, whose results it changes.
type changedResults struct{ change func(*exec.Result) }

func (c changedResults) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	r, err := native.Executor{}.Execute(ctx, t, env)
	if err == nil {
		c.change(r)
	}
	return r, err
}

// TestResultsOfOtherTasks: a result counts for the task and the attempt that it is of,
// and for no other.
func TestResultsOfOtherTasks(t *testing.T) {
	for name, change := range map[string]func(*exec.Result){
		"task":    func(r *exec.Result) { r.Task = strings.Repeat("0", len(r.Task)) },
		"attempt": func(r *exec.Result) { r.Attempt += "x" },
	} {
		t.Run(name, func(t *testing.T) {
			a := newBed(t, "table \"*\" { sinks = [sink.parquet.lake] }\n")
			a.executor = changedResults{change}
			a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
			if _, err := a.apply(); err == nil || !strings.Contains(err.Error(), "another task") {
				t.Errorf("the apply ended with %v", err)
			}
			if n := len(a.snapshot().Tables); n > 0 {
				t.Errorf("the state has %d tables", n)
			}
			a.executor = nil
			a.run()
			a.check()
		})
	}
}

// TestNothingToDo: an executor that finds nothing to do leaves a table as it is.
func TestNothingToDo(t *testing.T) {
	a := newBed(t, "table \"*\" { sinks = [sink.parquet.lake] }\n")
	a.executor = changedResults{func(r *exec.Result) { r.Outcome, r.Done = exec.OutcomeNothing, nil }}
	a.arrive(dumpOf(1, full("e", avroPart("event_id user_id", row(1, 10)))))
	if _, err := a.apply(); err != nil {
		t.Fatal(err)
	}
	a.opts.Exact = true
	p, err := a.engine().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	a.opts.Exact = false
	if n := len(a.snapshot().Tables); n > 0 {
		t.Errorf("the state has %d tables", n)
	}
	a.executor = nil
	a.run()
	a.check()
}
