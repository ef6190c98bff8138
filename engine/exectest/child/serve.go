package child

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"reconcile/engine/exec"
)

// Openers reach the places that a task names.
type Openers struct {
	Source func(location string) (exec.Source, error)
	// Sink opens the sink at a root. createdBy is for the footers.
	Sink func(root string, groupRows int, createdBy string) (exec.Sink, error)
}

// Started reports whether this process was started to carry out a task. Then the program
// does nothing but Serve.
func Started() bool { return os.Getenv(marker) != "" }

// The files that the process is started with.
const (
	requestFile = 3
	answerFile  = 4
)

// Serve carries out the task of this process by an executor, and returns the exit code.
func Serve(e exec.Executor, open Openers) int {
	in, out := os.NewFile(requestFile, "request"), os.NewFile(answerFile, "answers")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req := &request{}
	if err := json.NewDecoder(in).Decode(req); err != nil {
		fmt.Fprintln(os.Stderr, "read the task of this process:", err)
		return 2
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // ends with the process that waits
		cancel()
	}()
	answers := &speaker{to: json.NewEncoder(out)}
	last := answer{}
	if r, err := serve(ctx, e, open, req, answers); err != nil {
		last.Failure = failureOf(err)
	} else if last.Result, err = exec.EncodeResult(r); err != nil {
		last.Failure = failureOf(err)
	}
	if err := answers.say(last); err != nil {
		fmt.Fprintln(os.Stderr, "answer:", err)
		return 2
	}
	return 0
}

// speaker says answers, for several goroutines.
type speaker struct {
	mu sync.Mutex
	to *json.Encoder
}

func (s *speaker) say(a answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Encode(a)
}

func serve(ctx context.Context, e exec.Executor, open Openers, req *request, answers *speaker) (*exec.Result, error) {
	t, err := exec.DecodeTask(req.Task)
	if err != nil {
		return nil, err
	}
	env, err := open.env(t, req)
	if err != nil {
		return nil, err
	}
	// An answer that does not arrive has nobody who waits for it.
	env.Events.Progress = func(p exec.Progress) { _ = answers.say(answer{Progress: p}) }
	return e.Execute(ctx, t, env)
}

// env makes what a task is given beside it.
func (o Openers) env(t *exec.Task, req *request) (*exec.Env, error) {
	objects := &folder{named: req.Objects, fresh: t.Objects}
	budget := exec.RowBudget(req.Rows, req.Workers)
	env := &exec.Env{Sinks: map[string]exec.Sink{}, Objects: objects, Mappings: &mappings{objects: objects, budget: budget},
		Key:    func(verifier string) []byte { return req.Keys[verifier] },
		Limits: exec.Limits{Budget: budget, Scratch: req.Scratch, SpillGroup: req.Spill, WideFrom: req.Wide, ProbeAtOnce: req.Probe}}
	var err error
	if env.Source, err = o.Source(t.Source); err != nil {
		return nil, err
	}
	for _, root := range rootsOf(t) {
		if env.Sinks[root] != nil {
			continue
		}
		sink, err := o.Sink(root, t.Thresholds.GroupRows, "reconcile "+strings.TrimSpace(t.Footer["version"]))
		if err != nil {
			return nil, err
		}
		env.Sinks[root] = sink
	}
	return env, nil
}

// rootsOf lists the sinks that a task stages files in or reads.
func rootsOf(t *exec.Task) []string {
	var out []string
	for _, target := range t.Sinks {
		out = append(out, target.Root)
	}
	if t.Stored != nil {
		out = append(out, t.Stored.Sinks...)
	}
	return out
}
