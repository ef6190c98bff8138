package ingest

import (
	"errors"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/rules"
)

// Holding returns the file for which an error holds a table, nil if there is
// none. A source that is unavailable holds nothing: it stops the run.
func Holding(err error) *FileError {
	var bad *FileError
	if dump.Unavailable(err) || !errors.As(err, &bad) {
		return nil
	}
	return bad
}

// HeldBy says which file holds a table, and whether that lasts.
func HeldBy(bad *FileError) *exec.Held {
	h := &exec.Held{Dump: bad.File.Dump, File: bad.File.Key, Pin: bad.File.Pin, Reason: bad.Err.Error(), Lasting: lasting(bad)}
	var cast *castError
	var key *keyError
	if errors.As(bad, &key) {
		h.Cause.Key = key.key
	} else if errors.As(bad, &cast) {
		h.Cause.Column, h.Cause.Rule = cast.column, rules.RuleText(cast.rule)
	}
	return h
}

// lasting reports whether a file is bad by its content.
func lasting(err error) bool {
	var damage *avro.DamageError
	var cast *castError
	var key *keyError
	return errors.As(err, &damage) || errors.As(err, &cast) || errors.As(err, &key)
}
