package child

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/internal/errclass"
)

// failure is an error as it is told to another process.
type failure struct {
	Text  string
	Class errclass.Class
	// About is the sink or object that the class is about, and Cause the text of what gave
	// the error its class.
	About, Cause string
}

// failureOf describes an error.
func failureOf(err error) *failure {
	f := &failure{Text: err.Error()}
	if c := errclass.Find(err); c != nil {
		f.Class, f.About = c.ErrorClass()
		f.Cause = c.Error()
	}
	return f
}

// told is an error of another process: its text, and what gave it its class.
type told struct {
	text  string
	cause error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.cause }

// err makes an error of what was told. That an object is damaged whoever keeps it says.
func (f *failure) err(ctx context.Context, env *exec.Env, g given) error {
	switch f.Class {
	case errclass.Unclassed:
		return errors.New(f.Text)
	case errclass.Damaged:
		return f.damaged(ctx, env, g)
	}
	return &told{f.Text, &errclass.Error{Class: f.Class, About: f.About, Err: errors.New(f.Cause)}}
}

// damaged makes the error of a damaged object.
func (f *failure) damaged(ctx context.Context, env *exec.Env, g given) error {
	object := g[f.About]
	if object.err != nil {
		return object.err
	}
	obj, err := env.Objects.Open(ctx, object.ref)
	if err != nil {
		return err
	}
	return errors.Join(obj.Damaged(errors.New(f.Cause)), obj.Close())
}
