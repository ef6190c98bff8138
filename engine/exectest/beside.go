package exectest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/plan"
)

// besides is how often each task is carried out at once.
const besides = 3

// given is a task and what is given beside it.
type given struct {
	task *exec.Task
	env  *exec.Env
}

// playBeside carries out the tasks of several tables at once, each several times in
// attempts of its own and all under one budget: each gives what it gives alone.
func playBeside(t *testing.T, e exec.Executor, seen *coverage) {
	b := newBed(t, e, seen, tables)
	b.tuning.HashBits = 8
	b.arrive(dumpOf(1, full("e", events(0, 500)), full("f", events(0, 300)), full("users", part("user_id plan last_modified", row(1, "a", "1000"), row(2, "b", "1000")))))
	b.must()
	b.arrive(dumpOf(2, more("e", events(400, 200)), more("f", events(100, 100)), more("users", part("user_id plan last_modified", row(2, "c", "2000")))))
	met := &meeting{expected: 3, all: make(chan struct{})}
	enough, done := errors.New("enough"), make(chan struct{})
	b.watch.between = func(ctx context.Context, task *exec.Task, env *exec.Env) (*exec.Result, error) {
		switch first, err := met.join(given{task, env}); {
		case err != nil:
			return nil, err
		case !first:
			<-done
			return nil, enough
		}
		defer close(done)
		if err := b.sideBySide(ctx, e, met.given); err != nil {
			t.Error(err)
		}
		return nil, enough
	}
	if _, err := b.apply(t.Context()); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	b.watch.between = nil
	b.must()
}

// meeting waits until so many tasks have come together.
type meeting struct {
	expected int
	all      chan struct{} // closed when they have
	mu       sync.Mutex
	given    []given
}

// join returns when all tasks are there. first is for the task that came first.
func (m *meeting) join(g given) (first bool, err error) {
	m.mu.Lock()
	first = len(m.given) == 0
	m.given = append(m.given, g)
	if len(m.given) == m.expected {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
		return first, nil
	case <-time.After(time.Minute):
		return false, fmt.Errorf("only %d tasks have come", len(m.given))
	}
}

// sideBySide carries tasks out, first each alone and then all at once.
func (b *bed) sideBySide(ctx context.Context, e exec.Executor, tasks []given) error {
	alone := map[string]plan.Counts{}
	budget := exec.RowBudget(30_000, 2)
	for _, g := range tasks {
		r, err := b.attempt(ctx, e, g, "alone", budget)
		if err != nil {
			return err
		}
		alone[g.task.Table] = counted(r)
	}
	var all errgroup.Group
	for i := range besides {
		for _, g := range tasks {
			all.Go(func() error {
				r, err := b.attempt(ctx, e, g, fmt.Sprint("beside", i), budget)
				if err == nil && counted(r) != alone[g.task.Table] {
					err = fmt.Errorf("table %s: beside others it gives %+v, alone %+v", g.task.Table, counted(r), alone[g.task.Table])
				}
				return err
			})
		}
	}
	return all.Wait()
}

// attempt carries a task out in an attempt of its own.
func (b *bed) attempt(ctx context.Context, e exec.Executor, g given, name string, budget exec.Budget) (*exec.Result, error) {
	t, env := *g.task, *g.env
	t.Attempt += name
	env.Limits.Budget = budget
	env.Events.Progress = func(exec.Progress) {}
	r, err := e.Execute(ctx, &t, &env)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Table, err)
	}
	if b.watch.checkResult(ctx, &t, &env, r); r.Done == nil {
		return nil, fmt.Errorf("table %s: %+v", t.Table, r)
	}
	return r, nil
}

// counted are the counts of a result without the bytes, which depend on the order in
// which texts are met.
func counted(r *exec.Result) plan.Counts {
	c := r.Done.Counts
	c.Written = 0
	return c
}
