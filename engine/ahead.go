package engine

import (
	"context"
	"slices"
	"sync"

	"reconcile/engine/plan"
	"reconcile/state"
)

// The new content of a table can be computed while the table before it is still at
// work: what it stages is invisible until its own commit, and depends on nothing
// that another table commits. Commits are made one after the other, in the order of
// the plan.

// ahead is a table whose first step is being computed before its turn.
type ahead struct {
	r    *tableRun
	c    *change
	err  error
	done chan struct{}
	stop context.CancelFunc
	held heldProgress
}

// heldProgress keeps what is to be told of a table until its turn.
type heldProgress struct {
	mu          sync.Mutex
	rows, bytes int64
	tell        func(table string, rows, bytes int64) // nil before
}

func (h *heldProgress) add(table string, rows, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tell == nil {
		h.rows, h.bytes = h.rows+rows, h.bytes+bytes
		return
	}
	h.tell(table, rows, bytes)
}

func (h *heldProgress) release(table string, tell func(table string, rows, bytes int64)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rows > 0 {
		tell(table, h.rows, h.bytes)
	}
	h.tell = tell
}

// aheadShare is the part of the memory for rows that the files of the tables under
// way may fill: with more of them rows would mostly have to be spilled.
const aheadShare = 2

// beginAhead starts the first steps of the tables that come next, as many as there
// are workers, while all of them are small. begun has those that have not had their
// turn.
func (e *Engine) beginAhead(ctx context.Context, l *state.Lock, p *Plan, now *TablePlan, coming []*TablePlan, begun map[*TablePlan]*ahead) {
	weight := now.weight()
	for i, t := range coming {
		weight += t.weight()
		if i == e.lim.workers || weight*aheadShare > int64(e.lim.memory) {
			return
		}
		if begun[t] != nil {
			continue
		}
		if a := e.computeAhead(ctx, l, p, t); a != nil {
			begun[t] = a
		}
	}
}

// computeAhead starts the first step of a table. It returns nil if that must wait
// for the table's turn.
func (e *Engine) computeAhead(ctx context.Context, l *state.Lock, p *Plan, t *TablePlan) *ahead {
	if t.Action == plan.Destroy || t.Action == plan.Forget || t.old != nil && t.Change.Class != plan.ClassNone || len(t.pending) == 0 && !t.remap ||
		e.unreachable(t) != nil {
		return nil
	}
	r, err := e.newRun(ctx, l, p, t, false)
	if err != nil {
		return nil // its turn will tell
	}
	a := &ahead{r: r, done: make(chan struct{})}
	r.env.progress, r.env.lim.workers = a.held.add, 1
	r.env.lim.memory /= e.lim.workers // all of them use as much as the one whose turn it is
	ctx, a.stop = context.WithCancel(ctx)
	e.spared = append(e.spared, r.attempt.name)
	go func() {
		defer close(a.done)
		a.c, a.err = r.compute(ctx, plan.ClassNone, false)
	}()
	return a
}

// weight is about how many bytes of files a table's step reads and writes.
func (t *TablePlan) weight() int64 {
	n := t.BytesToWrite
	for _, d := range t.Dumps {
		n += d.Bytes
	}
	return n
}

// take waits for the content. What was staged is no longer spared.
func (e *Engine) take(a *ahead) (*tableRun, *change, error) {
	a.held.release(a.r.cfg.Name, e.opts.Progress)
	<-a.done
	a.stop()
	e.unspare(a)
	return a.r, a.c, a.err
}

func (e *Engine) unspare(a *ahead) {
	e.spared = slices.DeleteFunc(e.spared, func(name string) bool { return name == a.r.attempt.name })
}

// drop gives up a table that was computed ahead; a may be nil.
func (e *Engine) drop(ctx context.Context, l *state.Lock, a *ahead) error {
	if a == nil {
		return nil
	}
	a.stop()
	a.held.release(a.r.cfg.Name, func(string, int64, int64) {})
	<-a.done
	e.unspare(a)
	return e.sweep(ctx, l, a.r.attempt)
}
