package engine

import (
	"context"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/engine/steps"
)

// The new content of a table can be computed while the table before it is still at
// work: what it stages is invisible until its own commit, and depends on nothing
// that another table commits. Commits are made one after the other, in the order of
// the plan.

// prefetch is a table whose first step is being computed before its turn.
type prefetch struct {
	s    *steps.Step
	r    *exec.Result
	err  error
	done chan struct{}
	stop context.CancelFunc
}

// startPrefetches starts the first steps of the tables that come next, as many as the
// budget is for. begun has those that have not had their turn.
func (run *applyRun) startPrefetches(ctx context.Context, now *planner.Table, coming []*planner.Table, begun map[*planner.Table]*prefetch) {
	weight := bytesOf(now)
	for i, t := range coming {
		weight += bytesOf(t)
		if !run.e.limits.Budget.Prefetches(i+1, weight) {
			return
		}
		if begun[t] != nil {
			continue
		}
		if a := run.prefetchTable(ctx, t); a != nil {
			begun[t] = a
		}
	}
}

// prefetchTable starts the first step of a table. It returns nil if that must wait
// for the table's turn.
func (run *applyRun) prefetchTable(ctx context.Context, t *planner.Table) *prefetch {
	if len(t.Steps) == 0 || t.Steps[0].Kind != plan.StepTake || planner.Unreachable(run.plan, t) != nil {
		return nil
	}
	s, err := run.stepOf(ctx, t, t.Steps[0])
	if err != nil {
		return nil // its turn will tell
	}
	a := &prefetch{s: s, done: make(chan struct{})}
	s.Env.Limits.Budget = run.e.limits.Budget.Prefetched()
	ctx, a.stop = context.WithCancel(ctx)
	run.e.protected.Add(s.Task.Attempt)
	go func() {
		defer close(a.done)
		a.r, a.err = s.Execute(ctx)
	}()
	return a
}

// bytesOf is about how many bytes of files a table's step reads and writes.
func bytesOf(t *planner.Table) int64 {
	n := t.BytesToWrite
	for _, d := range t.Dumps {
		n += d.Bytes
	}
	return n
}

// awaitPrefetched waits for the content. What was staged is no longer protected.
func (run *applyRun) awaitPrefetched(a *prefetch) (*steps.Step, *exec.Result, error) {
	<-a.done
	a.stop()
	run.e.protected.Remove(a.s.Task.Attempt)
	return a.s, a.r, a.err
}

// dropPrefetched gives up a table that was prefetched; a may be nil.
func (run *applyRun) dropPrefetched(ctx context.Context, a *prefetch) error {
	if a == nil {
		return nil
	}
	a.stop()
	<-a.done
	run.e.protected.Remove(a.s.Task.Attempt)
	return run.e.removeStaged(ctx, run.lock, a.s.Task)
}
