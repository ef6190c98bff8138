package steps

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/internal/blob"
	"reconcile/internal/errclass"
)

// Divert has everything that the step stages go below dir.
func (s *Step) Divert(dir string) error {
	task := *s.Task
	task.Sinks, task.Objects = slices.Clone(task.Sinks), objectsIn(dir)
	s.Task = &task
	if err := os.MkdirAll(task.Objects, 0o700); err != nil {
		return fmt.Errorf("scratch_dir: %w", err)
	}
	s.Env.Objects = &scratchObjects{Objects: s.Env.Objects, dir: task.Objects}
	for i := range task.Sinks {
		t := &task.Sinks[i]
		t.Root = filepath.Join(dir, fmt.Sprintf("sink%d", i))
		if err := os.MkdirAll(t.Root, 0o700); err != nil {
			return fmt.Errorf("scratch_dir: %w", err)
		}
		st, err := blob.NewLocal(t.Root)
		if err != nil {
			return err
		}
		if s.Env.Sinks[t.Root], err = lake.Scratch(st); err != nil {
			return err
		}
		s.scratch = append(s.scratch, st.Root())
	}
	return nil
}

// ofScratch makes of the error of a place that Divert made one of scratch_dir: no sink
// failed.
func (s *Step) ofScratch(err error) error {
	if errclass.Of(err) != errclass.SinkUnavailable {
		return err
	}
	found := errclass.Find(err)
	if _, root := found.ErrorClass(); !slices.Contains(s.scratch, root) {
		return err
	}
	return fmt.Errorf("scratch_dir: %w", errors.Unwrap(found))
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

// Write implements exec.ObjectWriter.
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
