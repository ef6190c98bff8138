package partfile

import (
	"errors"
	"fmt"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/internal/near"
)

// ErrChanged holds a table until the next plan.
var ErrChanged = errors.New("the file has changed since the plan was made")

// FileError says which part file of a dump cannot be used.
type FileError struct {
	Dump int64
	Key  string // in the source
	Pin  string // of the file as it was planned with, empty for any
	Err  error
}

// Error says which file it is, and why it cannot be used.
func (e *FileError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap returns why it cannot be used.
func (e *FileError) Unwrap() error { return e.Err }

// Holding returns the file for which an error holds a table, nil if there is
// none. A source that is unavailable holds nothing: it stops the run.
func Holding(err error) *FileError {
	var bad *FileError
	if dump.Unavailable(err) || !errors.As(err, &bad) {
		return nil
	}
	return bad
}

// ContentError is an error by the content of a part file, in which the configuration takes
// part.
type ContentError interface {
	error
	Cause() exec.Cause
}

// Held says which file holds a table, and whether that lasts: while the content is bad.
func (e *FileError) Held() *exec.Held {
	h := &exec.Held{Dump: e.Dump, File: e.Key, Pin: e.Pin, Reason: dump.FileReason(e.Err)}
	var damage *avro.DamageError
	var content ContentError
	var large *avro.LimitError
	switch {
	case errors.As(e.Err, &content):
		h.Cause = content.Cause()
	case errors.As(e.Err, &large):
		h.Cause.Limit = large.Limit
	}
	h.Lasting = content != nil || errors.As(e.Err, &damage)
	return h
}

// KeyError is a part file with rows that lacks a key of its table.
type KeyError struct{ key, near string }

// NewKeyError describes fields that lack a key.
func NewKeyError(key string, fields []string) *KeyError { return &KeyError{key, near.Key(key, fields)} }

// Error says which key is lacking.
func (e *KeyError) Error() string {
	hint := ""
	if e.near != "" {
		hint = fmt.Sprintf(" (its field %s is another property: names of keys are exact)", e.near)
	}
	return fmt.Sprintf("it has rows, but no field %s, which is a key of the table%s", e.key, hint)
}

// Cause implements ContentError.
func (e *KeyError) Cause() exec.Cause { return exec.Cause{Key: e.key} }
