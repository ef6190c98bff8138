package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/internal/column"
	"reconcile/state"
)

// mappingRead is a user mapping as one dump delivered it.
type mappingRead struct {
	dump    int64
	digest  string          // of the manifest's entry
	unit    column.TimeUnit // of plain numbers that are times
	mapping *identity.Mapping
	report  *identity.Report
	bad     int             // rows without both ids
	read    *state.ReadDump // its files; nil if there are none
	// kept is what the reader has of it beyond that, for who stores the mapping.
	kept any
}

// MappingReader reads user mappings.
type MappingReader interface {
	// ReadMapping reads the complete mapping of one dump. It fails with a BadFileError
	// where a file cannot be used.
	ReadMapping(ctx context.Context, id int64, e *dump.Entry) (*mappingRead, error)
}

// BadFileError says which file holds what it is delivered for.
type BadFileError struct {
	File string // empty if it is the manifest
	Err  error
}

func (e *BadFileError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *BadFileError) Unwrap() error { return e.Err }

// badFile returns the file for which an error holds the mapping, nil if there is none. A
// source that is unavailable holds nothing: it stops the run.
func badFile(err error) *BadFileError {
	var bad *BadFileError
	if dump.Unavailable(err) || !errors.As(err, &bad) {
		return nil
	}
	return bad
}

// mappingAt is a mapping that a table stands at whose state is made anew.
type mappingAt struct {
	mapping  *identity.Mapping
	closure  *identity.Closure
	standing *state.Mapping
}

// loadMapping reads a mapping that the state keeps; the zero Ref is the empty
// mapping.
func loadMapping(ctx context.Context, store Objects, ref state.Ref) (_ *identity.Mapping, err error) {
	if ref.IsZero() {
		m, _ := identity.NewBuilder().Build()
		return m, nil
	}
	obj, err := store.OpenObject(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("the user mapping: %w", err)
	}
	defer func() { err = errors.Join(err, obj.Close()) }()
	m, err := identity.Decode(io.NewSectionReader(obj, 0, obj.Size()), obj.Size())
	if err != nil {
		return nil, fmt.Errorf("the user mapping: %w", obj.Damaged(err))
	}
	return m, nil
}
