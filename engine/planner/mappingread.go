package planner

import (
	"context"
	"errors"

	"reconcile/engine/dump"
)

// BadFileError says which file holds what it is delivered for.
type BadFileError struct {
	File string // empty if it is the manifest
	Err  error
}

func (e *BadFileError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *BadFileError) Unwrap() error { return e.Err }

// BadFile returns the file for which an error holds the mapping, nil if there is none. A
// source that is unavailable holds nothing: it stops the run.
func BadFile(err error) *BadFileError {
	var bad *BadFileError
	if dump.Unavailable(err) || !errors.As(err, &bad) {
		return nil
	}
	return bad
}

// ReadMappingOf reads the mapping that a dump lists. It fails with a BadFileError where
// that cannot be read.
func ReadMappingOf(ctx context.Context, p *Session, id int64, en *dump.Entry) (*MappingRead, error) {
	if en.Problem != "" {
		return nil, &BadFileError{Err: errors.New(en.Problem)}
	}
	return p.Mappings.ReadMapping(ctx, id, en)
}
