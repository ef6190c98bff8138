package sinks

import (
	"fmt"

	"reconcile/internal/errclass"
)

// The errors of a sink are of these classes: the place is unavailable
// (UnavailableError), somebody else changed what it holds (ErrDrift), a staged file is
// lost (ErrStagedLost), or a folder of it cannot be used: files cannot be moved there, or
// a link leads away. All others are about the content of one file, or about a call.

// UnavailableError says that the place of a sink could not be read or written. It stops
// the tables of that sink and no others.
type UnavailableError struct {
	Root string
	// Advice ends the message; empty for none.
	Advice string
	Err    error
}

func (e *UnavailableError) Error() string {
	text := fmt.Sprintf("sink %s: %v", e.Root, e.Err)
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// ErrorClass implements errclass.Classed.
func (e *UnavailableError) ErrorClass() (class errclass.Class, about string) {
	return errclass.SinkUnavailable, e.Root
}

// ErrDrift reports content that the state does not know.
var ErrDrift = errclass.New(errclass.Changed, "changed by somebody else")

// ErrStagedLost reports a staged file that somebody removed: its table must
// be rebuilt.
var ErrStagedLost = errclass.New(errclass.StagedLost, "a staged file is gone")
