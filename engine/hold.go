package engine

import (
	"errors"

	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/plan"
	"reconcile/engine/planner"
)

// holding returns the file for which an error holds a table, nil if there is
// none. A source that is unavailable holds nothing: it stops the run.
func holding(err error) *fileError {
	var bad *fileError
	if dump.Unavailable(err) || !errors.As(err, &bad) {
		return nil
	}
	return bad
}

// holdOf is the hold of a table by a file.
func holdOf(table string, bad *exec.Held) plan.Hold {
	return plan.Hold{Table: table, Dump: bad.Dump, File: bad.File, Reason: bad.Reason}
}

// heldBy says which file holds a table, and whether that lasts.
func heldBy(bad *fileError) *exec.Held {
	h := &exec.Held{Dump: bad.file.dump, File: bad.file.key, Pin: bad.file.pin, Reason: bad.err.Error(), Lasting: lasting(bad)}
	var cast *castError
	var key *keyError
	if errors.As(bad, &key) {
		h.Cause.Key = key.key
	} else if errors.As(bad, &cast) {
		h.Cause.Column, h.Cause.Rule = cast.column, planner.RuleText(cast.rule)
	}
	return h
}
