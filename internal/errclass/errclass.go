// Package errclass says what a caller can tell of an error: its class and, of some
// classes, which sink or object it is about. Who makes an error gives it its class;
// whoever decides by it asks for that and for no type. So an error counts for the same
// when it was wrapped, joined with others, or told by another process.
package errclass

import (
	"context"
	"errors"
)

// Class is what a caller can tell of an error.
type Class string

// The classes, and what becomes of what met such an error.
const (
	Unclassed Class = "" // the run ends

	LeaseLost         Class = "lease lost"               // the run ends: somebody else has the right to write
	SinkUnavailable   Class = "sink unavailable"         // the tables of the sink stop
	SinkMissing       Class = "sink not there"           // the tables of the sink are held
	FolderUnusable    Class = "folder unusable"          // the table whose folder it is stops
	Distrusted        Class = "state and sinks disagree" // the table is held until it is repaired
	StagedLost        Class = "staged file lost"         // the table is rewritten
	Changed           Class = "changed by somebody else" // the table stops
	Damaged           Class = "damaged state"            // what needs the damaged object is held
	SourceUnavailable Class = "source unavailable"       // the run ends
	Cancelled         Class = "cancelled"                // the run ends
)

// byWeight are the classes: of several in joined errors, the first one counts.
var byWeight = []Class{LeaseLost, SinkUnavailable, SinkMissing, FolderUnusable, Distrusted, StagedLost, Changed, Damaged, SourceUnavailable, Cancelled}

// All lists the classes.
func All() []Class { return append([]Class(nil), byWeight...) }

// Classed is an error that knows its class. about is the root of the sink or source, or
// the digest of the object, where the class is about one.
type Classed interface {
	error
	ErrorClass() (class Class, about string)
}

// Error is an error of a class of which no other type says more.
type Error struct {
	Class Class
	About string
	Err   error
}

// New returns an error of a class that says a text.
func New(class Class, text string) error { return &Error{Class: class, Err: errors.New(text)} }

// Error is the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorClass implements Classed.
func (e *Error) ErrorClass() (class Class, about string) { return e.Class, e.About }

// Of returns the class of an error, Unclassed if it has none or is nil.
func Of(err error) Class {
	c := Find(err)
	if c == nil {
		return Unclassed
	}
	class, _ := c.ErrorClass()
	return class
}

// Find returns what in an error gives it its class, nil if it has none.
func Find(err error) Classed {
	var found Classed
	least := len(byWeight)
	visit(err, func(c Classed) {
		class, _ := c.ErrorClass()
		for i, x := range byWeight[:least] {
			if x == class {
				found, least = c, i
			}
		}
	})
	if found == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return &Error{Class: Cancelled, Err: err}
	}
	return found
}

// visit calls see with the classed errors of a tree. What a classed error is caused by
// does not count: who gave the class knew it.
func visit(err error, see func(Classed)) {
	if c, ok := err.(Classed); ok {
		see(c)
		return
	}
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		visit(x.Unwrap(), see)
	case interface{ Unwrap() []error }:
		for _, e := range x.Unwrap() {
			visit(e, see)
		}
	}
}
