// Package report says what an apply came to, for those who watch applies from outside: the
// events that they are told, and the figures that they measure.
//
// It knows what an apply returned and what the state said before and after. It reads and
// sends nothing.
package report

import (
	"time"

	"reconcile/engine"
	"reconcile/engine/inspect"
)

// Run is one apply that has ended.
type Run struct {
	Program string // its version
	Folder  string // of the configuration
	Began   time.Time
	Ended   time.Time
	Code    int
	Errors  []string
	// Planned says that the apply came to a plan, of a state where Before was held.
	Planned bool
	Before  []inspect.Hold
	// Result is nil where nothing was begun.
	Result *engine.Result
	// After is what the state says now; nil where it could not be read.
	After *inspect.Figures
}
