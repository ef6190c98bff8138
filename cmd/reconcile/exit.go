package main

import (
	"context"
	"errors"

	"reconcile/engine/plan"
	"reconcile/internal/errclass"
	"reconcile/state"
)

// The exit codes, which docs/commands.md promises.
const (
	exitDone        = 0
	exitError       = 1
	exitChanges     = 2  // plan -detailed-exitcode found changes
	exitPartial     = 3  // something is held or failed; safe to run again
	exitLocked      = 11 // another has the lock of the state, or took it
	exitStale       = 12 // the saved plan is not of what is there now, or the configuration not what -expect says
	exitGuarded     = 13 // a guard holds something, status or verify found a problem, or nothing new came in time
	exitInterrupted = 130
)

// codeOf returns the exit code of a failed command.
func codeOf(ctx context.Context, err error) int {
	var stale *staleError
	var guarded *guardedError
	var unexpected *unexpectedError
	switch {
	case errors.Is(err, state.ErrUnknownOutcome):
		return exitError
	case errors.As(err, &stale), errors.As(err, &unexpected):
		return exitStale
	case errors.As(err, &guarded):
		return exitGuarded
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, state.ErrLocked), errclass.Of(err) == errclass.LeaseLost:
		return exitLocked
	}
	return exitError
}

// heldCode is the exit code of a command that did what it could.
func heldCode(holds []plan.Hold, partial bool) int {
	switch {
	case plan.HeldByGuard(holds):
		return exitGuarded
	case partial:
		return exitPartial
	}
	return exitDone
}
