package exectest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"reconcile/engine/exec"
)

// watch is an executor that gives another one what was encoded and decoded of a task,
// and gives back what was encoded and decoded of its result. It checks that both are whole
// then, that they hold nothing that they must not, and that what a result names is there.
type watch struct {
	t     *testing.T
	inner exec.Executor
	dir   string // of the bed
	seen  *coverage
	// between, if it is set, takes the place of the executor. It may call it.
	between func(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error)
	after   func() // is called when a result was checked; nil for nothing
	mu      sync.Mutex
	steps   []doneStep // that were carried out, in their order
}

// doneStep is a task, and what was done.
type doneStep struct {
	task *exec.Task
	done *exec.Done
}

// Execute implements exec.Executor.
func (w *watch) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	execute := w.inner.Execute
	if w.between != nil {
		execute = w.between
	}
	sent := w.checkTask(t)
	if sent == nil {
		sent = t
	}
	told := &progress{pass: env.Events.Progress}
	heard := *env
	heard.Events.Progress = told.add
	r, err := execute(ctx, sent, &heard)
	if err != nil {
		if r != nil {
			w.t.Errorf("table %s: a result comes with the error %v", t.Table, err)
		}
		return nil, err
	}
	got := w.checkResult(ctx, t, env, r)
	if got == nil {
		return r, nil
	}
	if d := got.Done; d != nil && told.rows < d.Counts.Read {
		w.t.Errorf("table %s: progress told of %d rows, and %d of its deliveries were read", t.Table, told.rows, d.Counts.Read)
	}
	w.note(t, got)
	w.seen.add(t, got)
	if w.after != nil {
		w.after()
	}
	return got, nil
}

// note notes what was done, if something was.
func (w *watch) note(t *exec.Task, r *exec.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Done != nil {
		w.steps = append(w.steps, doneStep{t, r.Done})
	}
}

// takeSteps returns what was noted since it was called last.
func (w *watch) takeSteps() []doneStep {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.steps
	w.steps = nil
	return out
}

// progress adds up what a task tells, and passes it on.
type progress struct {
	mu   sync.Mutex
	rows int64
	pass func(exec.Progress)
}

func (p *progress) add(now exec.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Phase == exec.Reading {
		p.rows += now.Rows
	}
	p.pass(now)
}

// checkTask returns the task as it is read back, nil if it cannot be.
func (w *watch) checkTask(t *exec.Task) *exec.Task {
	b, err := exec.EncodeTask(t)
	if err != nil {
		w.t.Errorf("table %s: %v", t.Table, err)
		return nil
	}
	w.checkText("task", t.Table, b)
	got, err := exec.DecodeTask(b)
	if err != nil {
		w.t.Errorf("table %s: %v", t.Table, err)
		return nil
	}
	if at := difference(t, got); at != "" {
		w.t.Errorf("table %s: the task is another one when it is read back, at %s", t.Table, at)
	}
	if got.Objects == "" {
		w.t.Errorf("table %s: the task has no place for objects", t.Table)
	}
	again := *got
	again.Attempt, again.Objects = "another", "/another"
	if a, b, c := digestOf(w.t, t), digestOf(w.t, got), digestOf(w.t, &again); a != b || a != c {
		w.t.Errorf("table %s: the digest of the task is %s, %s when it is read back, %s in another attempt", t.Table, a, b, c)
	}
	return got
}

func digestOf(t *testing.T, task *exec.Task) string {
	d, err := task.Digest()
	if err != nil {
		t.Error(err)
	}
	return d
}

// checkText checks that encoded bytes hold no key of a mask, and no path of this machine
// but locations.
func (w *watch) checkText(what, table string, b []byte) {
	for _, secret := range [][]byte{[]byte(maskKey), []byte(hex.EncodeToString([]byte(maskKey))), []byte(base64.StdEncoding.EncodeToString([]byte(maskKey)))} {
		if bytes.Contains(b, secret) {
			w.t.Errorf("table %s: the %s holds the key of a mask", table, what)
		}
	}
	for rest := string(b); ; {
		_, after, found := strings.Cut(rest, w.dir)
		if !found {
			return
		}
		if rest = after; !w.location(rest) {
			w.t.Errorf("table %s: the %s holds the path %.60q", table, what, w.dir+rest)
		}
	}
}

// location reports whether what follows the folder of the bed is one of the places where
// the source and the sinks are and new objects go, those of a plan with exact figures too.
func (w *watch) location(rest string) bool {
	if below, ok := strings.CutPrefix(rest, "/scratch/"); ok {
		_, below, _ = strings.Cut(below, "/") // the folder of a command
		return strings.HasPrefix(below, "objects") || strings.HasPrefix(below, "sink")
	}
	return strings.HasPrefix(rest, "/dumps") || strings.HasPrefix(rest, "/lake")
}

// checkResult returns the result as it is read back, nil if it cannot be.
func (w *watch) checkResult(ctx context.Context, t *exec.Task, env *exec.Env, r *exec.Result) *exec.Result {
	b, err := exec.EncodeResult(r)
	if err != nil {
		w.t.Errorf("table %s: %v", t.Table, err)
		return nil
	}
	w.checkText("result", t.Table, b)
	got, err := exec.DecodeResult(b)
	if err != nil {
		w.t.Errorf("table %s: %v", t.Table, err)
		return nil
	}
	if at := difference(r, got); at != "" {
		w.t.Errorf("table %s: the result is another one when it is read back, at %s", t.Table, at)
	}
	if err := got.Check(t); err != nil {
		w.t.Error(err)
	}
	if got.Done != nil {
		w.checkDone(t, got.Done)
		w.checkObjects(ctx, t, env, got.Done)
	}
	return got
}
