package planner

import (
	"context"
	"errors"
	"fmt"
	"io"

	"reconcile/engine/dump"
	"reconcile/engine/identity"
	"reconcile/engine/quarantine"
	"reconcile/internal/column"
	"reconcile/state"
)

// BadFileError says which file holds what it is delivered for.
type BadFileError struct {
	File string // empty if it is the manifest
	Err  error
}

func (e *BadFileError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *BadFileError) Unwrap() error { return e.Err }

// reason says why the file cannot be used, as plans say it.
func (e *BadFileError) reason(ctx context.Context, source *dump.Source) string {
	return source.FileReason(ctx, e.File, e.Err)
}

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

// MappingRead is a user mapping as one dump delivered it.
type MappingRead struct {
	Dump    int64
	Digest  string          // of the manifest's entry
	Unit    column.TimeUnit // of plain numbers that are times
	Mapping *identity.Mapping
	Report  *identity.Report
	Bad     *quarantine.Collector // rows without both ids
	Read    *state.ReadDump       // its files; nil if there are none
}

// MappingReader reads user mappings.
type MappingReader interface {
	// ReadMapping reads the complete mapping of one dump. It fails with a BadFileError
	// where a file cannot be used.
	ReadMapping(ctx context.Context, id int64, e *dump.Entry) (*MappingRead, error)
}

// MappingAt is a mapping that a table stands at whose state is rebuilt.
type MappingAt struct {
	Mapping  *identity.Mapping
	Closure  *identity.Closure
	Standing *state.Mapping
}

// LoadMapping reads a mapping that the state keeps; the zero Ref is the empty
// mapping.
func LoadMapping(ctx context.Context, store Objects, ref state.Ref) (_ *identity.Mapping, err error) {
	if ref.IsZero() {
		return &identity.Mapping{}, nil
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
