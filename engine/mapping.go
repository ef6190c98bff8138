package engine

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/objects"
	"reconcile/engine/planner"
	"reconcile/engine/quarantine"
	"reconcile/internal/column"
	"reconcile/state"
)

// deliveredMapping is a user mapping that was read, with the rows that it lacks.
type deliveredMapping struct {
	planner.MappingRead
	bad []quarantine.Row
}

// deliveredOf is what was read for a mapping.
func deliveredOf(m *planner.MappingRead) *deliveredMapping { return m.Kept.(*deliveredMapping) }

// mappingReader reads the user mappings of a source.
type mappingReader struct {
	source *dump.Source
	unit   column.TimeUnit // of plain numbers that are times
	tagged bool            // the pins of the source are ETags
}

// ReadMapping implements MappingReader.
func (r mappingReader) ReadMapping(ctx context.Context, id int64, e *dump.Entry) (*planner.MappingRead, error) {
	d := &exec.Delivery{Dump: id, Columns: e.Columns, HasColumns: e.HasColumns}
	for _, f := range e.Files {
		d.Files = append(d.Files, exec.SourceFile{Key: f.Key})
	}
	read, err := ingest.ReadMapping(ctx, r.source, d, r.unit, r.tagged)
	if bad := ingest.Holding(err); bad != nil {
		return nil, &planner.BadFileError{File: bad.File.Key, Err: bad.Err}
	}
	if err != nil {
		return nil, err
	}
	m := &deliveredMapping{bad: read.Bad, MappingRead: planner.MappingRead{Dump: id, Digest: e.Digest, Unit: r.unit, Mapping: read.Mapping,
		Report: read.Report, Bad: len(read.Bad), Read: commit.ReadDump(read.Read)}}
	m.Kept = m
	return &m.MappingRead, nil
}

// store writes the mapping, and the rows without both ids, as objects of the state, and
// gives the record of the mapping their names.
func (m *deliveredMapping) store(ctx context.Context, store *state.Store, record *state.Mapping) ([]*state.Sealed, error) {
	o := store.NewObject(ctx)
	if err := m.Mapping.Encode(o); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the user mapping: %w", err), o.Abort())
	}
	obj, err := o.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = int64(m.Mapping.Len())
	record.Ref = obj.Ref
	if len(m.bad) == 0 {
		return []*state.Sealed{obj}, nil
	}
	rejected, err := quarantine.Write(ctx, objects.Objects{State: store}, m.bad)
	if err != nil {
		return nil, err
	}
	q, err := commit.Adopt(ctx, store, rejected, true)
	if err != nil {
		return nil, err
	}
	record.Quarantine = q.Ref
	return []*state.Sealed{obj, q}, nil
}
