package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"

	"reconcile/engine/exec"
)

// marker is set in the environment of a process that is to carry out a task.
const marker = "RECONCILE_TEST_TASK"

// Executor implements exec.Executor.
type Executor struct {
	// Dir is a folder for the objects that tasks name.
	Dir string
}

// request is what the process gets.
type request struct {
	Task    []byte
	Keys    map[string][]byte // of masks, by verifier
	Rows    int               // bytes of the budget for rows
	Workers int
	Scratch string
	Spill   int
	Wide    int
	Probe   int
	Objects string // folder of those that the task names
}

// answer is what the process says. The last one has a result or a failure.
type answer struct {
	Progress exec.Progress
	Result   []byte
	Failure  *failure
}

// Execute implements exec.Executor. When ctx ends the process is killed.
func (x *Executor) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	in, err := os.MkdirTemp(x.Dir, "named-")
	if err != nil {
		return nil, fmt.Errorf("folder of objects: %w", err)
	}
	defer func() { _ = os.RemoveAll(in) }()
	given, err := give(ctx, t, env, in)
	if err != nil {
		return nil, err
	}
	req := &request{Keys: keysOf(t, env), Rows: env.Limits.Budget.Rows(), Workers: env.Limits.Budget.Workers(),
		Scratch: env.Limits.Scratch, Spill: env.Limits.SpillGroup, Wide: env.Limits.WideFrom, Probe: env.Limits.ProbeAtOnce, Objects: in}
	if req.Task, err = exec.EncodeTask(t); err != nil {
		return nil, err
	}
	last, err := run(ctx, req, env.Events.Progress)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("task of table %s: %w", t.Table, ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("task of table %s: %w", t.Table, err)
	case last.Failure != nil:
		return nil, last.Failure.err(ctx, env, given)
	}
	return exec.DecodeResult(last.Result)
}

// keysOf are the keys of the masks that a task names.
func keysOf(t *exec.Task, env *exec.Env) map[string][]byte {
	out := map[string][]byte{}
	for _, c := range t.Schema.Columns() {
		if key := env.Key(c.Verifier); c.Verifier != "" && key != nil {
			out[c.Verifier] = key
		}
	}
	return out
}

// run starts the process, hands it the request, and returns its last answer.
func run(ctx context.Context, req *request, progress func(exec.Progress)) (_ *answer, err error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = ours.Close() }()
	answers, speaks, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirs.Close())
	}
	defer func() { _ = answers.Close() }()
	cmd := osexec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), marker+"=1")
	cmd.Stderr, cmd.ExtraFiles = os.Stderr, []*os.File{theirs, speaks}
	err = cmd.Start()
	if err = errors.Join(err, theirs.Close(), speaks.Close()); err != nil {
		return nil, fmt.Errorf("start a process: %w", err)
	}
	// A process that ends early does not read all of the request: its answer says why.
	_ = json.NewEncoder(ours).Encode(req)
	last, err := listen(answers, progress)
	_ = ours.Close() // the process may end
	if ended := cmd.Wait(); ended != nil && last == nil {
		return nil, fmt.Errorf("the process ended without an answer: %w", ended)
	}
	return last, err
}

// listen passes progress on, and returns the answer that ends it.
func listen(r io.Reader, progress func(exec.Progress)) (*answer, error) {
	for d := json.NewDecoder(r); ; {
		a := &answer{}
		if err := d.Decode(a); err != nil {
			return nil, fmt.Errorf("read the answers of the process: %w", err)
		}
		if a.Result != nil || a.Failure != nil {
			return a, nil
		}
		progress(a.Progress)
	}
}
