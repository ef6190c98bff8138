package engine

import (
	"context"
	"math"
	"path"

	"reconcile/engine/exec"
	"reconcile/engine/filename"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// partWriter writes published rows of a partition as files of it: as one or, when
// they are many, as several that follow each other in the order of the rows.
type partWriter struct {
	a     *attempt
	p     *stagedPart
	dir   string // of the files, below the table's folder
	cutAt int64  // bytes from which on rows go to another file
	next  int    // number of the next file
	// appended says that the rows come to a partition that has files.
	appended bool
	data     *multiWriter
}

func (a *attempt) partWriter(p *stagedPart, cutAt int64) *partWriter {
	return &partWriter{a: a, p: p, dir: rules.PartitionFolder(a.schema.Partition.Unit, partValue(&p.record)), cutAt: cutAt}
}

// tableWriter writes a table that is one file; there is none without a row.
func (a *attempt) tableWriter(p *stagedPart) *partWriter {
	return &partWriter{a: a, p: p, cutAt: math.MaxInt64}
}

// Write writes a row group.
func (w *partWriter) Write(ctx context.Context, b *column.Batch) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	return w.data.Write(ctx, b)
}

// open makes sure that there is a file that takes rows.
func (w *partWriter) open(ctx context.Context) (err error) {
	if w.data != nil && w.data.size() >= w.cutAt {
		if err := w.end(); err != nil {
			return err
		}
	}
	if w.data == nil {
		w.data, err = w.a.openData(ctx)
	}
	return err
}

// end makes the file that takes rows durable, if there is one.
func (w *partWriter) end() error {
	if w.data == nil {
		return nil
	}
	if err := w.a.closeData(w.data, path.Join(w.dir, filename.Of(w.next, 0)), w.p); err != nil {
		return err
	}
	for i := len(w.p.record.Files) - len(w.data.ws); i < len(w.p.record.Files); i++ {
		w.p.record.Files[i].Appended = w.appended
	}
	w.data, w.next = nil, w.next+1
	return nil
}

// finish ends a table that is one file, or gives it up if err is not nil.
func (w *partWriter) finish(err error) (*stagedPart, error) {
	if err == nil {
		err = w.end()
	}
	if err != nil {
		w.abort()
		return nil, err
	}
	if len(w.p.record.Files) > 0 {
		w.p.record.Rows = w.p.record.Files[0].Rows
	}
	return w.p, nil
}

// keep leaves a file of the partition as it is.
func (p *stagedPart) keep(entries []exec.File) {
	for _, f := range entries {
		f.Staged = ""
		p.record.Files = append(p.record.Files, f)
	}
}

func (w *partWriter) abort() {
	if w.data != nil {
		w.data.abort()
	}
}
