// Package usermapping reads the user mappings of a source for a planner, and stores those
// that were read as objects of a state. It never decides which mapping tables stand at.
package usermapping

import (
	"context"
	"errors"
	"fmt"
	"os"

	"reconcile/engine/commit"
	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/mappingfile"
	"reconcile/engine/objects"
	"reconcile/engine/partfile"
	"reconcile/engine/planner"
	"reconcile/engine/quarantine"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/textlist"
	"reconcile/state"
)

// Reader reads the user mappings of a source.
type Reader struct {
	Source *dump.Source
	Unit   column.TimeUnit // of plain numbers that are times
	Tagged bool            // the pins of the source are ETags
	Budget exec.Budget
	// Scratch makes a folder for what does not fit.
	Scratch func() (dir string, remove func(), err error)
}

// temp makes a file for rejected rows.
func (r Reader) temp() (*os.File, error) {
	dir, remove, err := r.Scratch()
	if err != nil {
		return nil, err
	}
	defer remove()
	return quarantine.UnnamedIn(dir)
}

// ReadMapping implements planner.MappingReader.
func (r Reader) ReadMapping(ctx context.Context, id int64, e *dump.Entry) (*planner.MappingRead, error) {
	d := &exec.Delivery{Dump: id, Columns: e.Columns, HasColumns: e.HasColumns}
	files := exec.NewFiles(textlist.New(0, nil))
	for key, err := range e.Files.All() {
		if err != nil {
			return nil, err
		}
		files.Add(exec.SourceFile{Key: key})
	}
	var err error
	if d.Files, err = files.Files(); err != nil {
		return nil, err
	}
	bad := quarantine.NewCollector(quarantine.Space{Bytes: r.Budget.Rejected(), Temp: r.temp})
	read, err := mappingfile.Read(ctx, r.Source, d, r.Budget, bad, r.Unit, r.Tagged)
	if file := partfile.Holding(err); file != nil {
		return nil, &planner.BadFileError{File: file.Key, Err: file.Err}
	}
	if err != nil {
		return nil, err
	}
	return &planner.MappingRead{Dump: id, Digest: e.Digest, Unit: r.Unit, Mapping: read.Mapping, Report: read.Report, Bad: read.Bad,
		Read: commit.ReadDump(read.Read)}, nil
}

// Store writes a mapping, and the rows without both ids, as objects of the state, and
// gives the record of the mapping their names.
func Store(ctx context.Context, store *state.Store, m *planner.MappingRead, record *state.Mapping) ([]*state.Sealed, error) {
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
	_, rejected, err := m.Bad.Write(ctx, objects.Objects{State: store}, feed.TableMapping)
	if err = errors.Join(err, m.Bad.Close()); err != nil || len(rejected) == 0 {
		return []*state.Sealed{obj}, err
	}
	q, err := commit.Adopt(ctx, store, rejected[0], true)
	if err != nil {
		return nil, err
	}
	record.Quarantine = q.Ref
	return []*state.Sealed{obj, q}, nil
}
