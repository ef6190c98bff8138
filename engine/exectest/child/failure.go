package child

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/sinks"
)

// failure is an error as it is told to another process.
type failure struct {
	Class exec.Class
	Text  string
	// Cause is the text of what Root or Ref, the sink or the object, failed with.
	Cause string
	Root  string
	Ref   exec.Ref
}

// failureOf describes an error.
func failureOf(err error) *failure {
	f := &failure{Class: exec.ClassOf(err), Text: err.Error(), Cause: err.Error()}
	var known *exec.Error
	if errors.As(err, &known) {
		f.Cause, f.Root, f.Ref = known.Err.Error(), known.Root, known.Ref
	}
	var down *sinks.UnavailableError
	if errors.As(err, &down) {
		f.Cause, f.Root = down.Err.Error(), down.Root
	}
	return f
}

// told is an error of another process: its text, and what callers decide by.
type told struct {
	text  string
	cause error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.cause }

// err makes an error of what was told.
func (f *failure) err(ctx context.Context, env *exec.Env, g given) error {
	e := &told{text: f.Text}
	switch f.Class {
	case exec.Damaged:
		return f.damaged(ctx, env, g)
	case exec.SinkUnavailable:
		e.cause = &sinks.UnavailableError{Root: f.Root, Err: errors.New(f.Cause)}
	case exec.Changed:
		e.cause = sinks.ErrDrift
	case exec.StagedLost:
		e.cause = sinks.ErrStagedLost
	}
	return &exec.Error{Class: f.Class, Root: f.Root, Ref: f.Ref, Err: e}
}

// damaged makes the error of a damaged object, as whoever keeps the object says it.
func (f *failure) damaged(ctx context.Context, env *exec.Env, g given) error {
	if err := g[f.Ref.Digest]; err != nil {
		return err
	}
	obj, err := env.Objects.Open(ctx, f.Ref)
	if err != nil {
		return err
	}
	return errors.Join(obj.Damaged(errors.New(f.Cause)), obj.Close())
}
