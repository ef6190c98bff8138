package exec

import (
	"context"
	"errors"

	"reconcile/sinks"
)

// Class is what a caller can tell of an error of an executor.
type Class string

// The classes.
const (
	Unclassed         Class = ""
	SinkUnavailable   Class = "sink unavailable"   // its tables stop
	SourceUnavailable Class = "source unavailable" // the run ends
	Changed           Class = "changed by somebody else"
	StagedLost        Class = "staged file lost"
	Damaged           Class = "damaged object"
	LeaseLost         Class = "lease lost"
	Cancelled         Class = "cancelled"
)

// Classed is an error that knows its class.
type Classed interface {
	error
	ErrorClass() Class
}

// Error is an error of a class. Ref is the damaged object, Root the sink, where the
// class is about one.
type Error struct {
	Class Class
	Root  string
	Ref   Ref
	Err   error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorClass implements Classed.
func (e *Error) ErrorClass() Class { return e.Class }

// ClassOf returns the class of an error, Unclassed if it has none or is nil.
func ClassOf(err error) Class {
	var c Classed
	var down *sinks.UnavailableError
	switch {
	case err == nil:
		return Unclassed
	case errors.As(err, &c):
		return c.ErrorClass()
	case errors.As(err, &down):
		return SinkUnavailable
	case errors.Is(err, sinks.ErrStagedLost):
		return StagedLost
	case errors.Is(err, sinks.ErrDrift):
		return Changed
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Unclassed
}
