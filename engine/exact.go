package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/blob"
)

// measure replaces a table's estimates by exact figures: it computes the new
// content as an apply would, into the scratch folder, and throws it away.
func (e *Engine) measure(ctx context.Context, p *planner.Session, t *planner.Table) (err error) {
	if t.Action == plan.Destroy || t.Action == plan.Forget || p.Publishing(t.Name) { // its files are on their way
		return nil
	}
	made := missingFolders(e.cfg.ScratchDir)
	defer func() {
		for _, d := range made {
			_ = os.Remove(d) // unless something else is in it by now
		}
	}()
	cleanup, err := e.scratch("plan-")
	if err != nil {
		return err
	}
	defer cleanup()
	dir := e.limits.Scratch
	ofConfig := t.Old != nil && t.Change.Class != plan.ClassNone
	s, err := e.stepOn(ctx, 0, p.Snap, p, t, ofConfig)
	if err != nil {
		return err
	}
	if err := s.divert(dir); err != nil {
		return err
	}
	r, err := s.execute(ctx)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	if r.Held != nil {
		h := holdOf(t.Name, r.Held)
		if ofConfig {
			h = t.WaitingRebuild(h)
			t.Keep()
		}
		p.Holds = append(p.Holds, h)
		return nil
	}
	counts := r.Done.Counts
	t.Exact, t.Counts = true, &counts
	t.Partitions, t.BytesToWrite = counts.Partitions, counts.Written
	return nil
}

// missingFolders lists a folder and those above it as far as they do not exist,
// the innermost first.
func missingFolders(dir string) []string {
	var out []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return out
		}
		out = append(out, dir)
		dir = filepath.Dir(dir)
	}
}

// divert has everything that the step stages go below dir.
func (s *tableStep) divert(dir string) error {
	s.env.Objects = &scratchObjects{Objects: s.env.Objects, dir: dir}
	for i := range s.task.Sinks {
		t := &s.task.Sinks[i]
		t.Root = filepath.Join(dir, fmt.Sprintf("sink%d", i))
		if err := os.MkdirAll(t.Root, 0o700); err != nil {
			return fmt.Errorf("scratch_dir: %w", err)
		}
		st, err := blob.NewLocal(t.Root)
		if err != nil {
			return err
		}
		if s.env.Sinks[t.Root], err = lake.Scratch(st, t.Compression); err != nil {
			return err
		}
	}
	return nil
}

// scratchObjects are objects of a state, and beside them new ones in a folder, which
// nobody reads.
type scratchObjects struct {
	exec.Objects
	dir string
}

// Create implements exec.Objects.
func (o *scratchObjects) Create(context.Context) exec.ObjectWriter {
	f, err := os.CreateTemp(o.dir, "object-*")
	return &scratchObject{file: f, err: err, sum: sha256.New()}
}

// scratchObject is one of them while it is written.
type scratchObject struct {
	file *os.File // nil once it is closed
	err  error    // why there is none
	sum  hash.Hash
	size int64
}

func (o *scratchObject) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, fmt.Errorf("scratch_dir: %w", o.err)
	}
	n, err := o.file.Write(b)
	o.sum.Write(b[:n])
	o.size += int64(n)
	return n, err
}

// Close implements exec.ObjectWriter.
func (o *scratchObject) Close(context.Context) (*exec.Object, error) {
	if o.err != nil {
		return nil, fmt.Errorf("scratch_dir: %w", o.err)
	}
	if err := o.Abort(); err != nil {
		return nil, err
	}
	return &exec.Object{Ref: exec.Ref{Digest: hex.EncodeToString(o.sum.Sum(nil)), Size: o.size}}, nil
}

// Abort implements exec.ObjectWriter.
func (o *scratchObject) Abort() error {
	if o.file == nil {
		return nil
	}
	f := o.file
	o.file = nil
	return f.Close()
}
