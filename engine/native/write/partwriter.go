package write

import (
	"context"
	"math"
	"path"

	"reconcile/engine/exec"
	"reconcile/engine/filename"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// PartWriter writes published rows of a partition as files of it: as one or, when
// they are many, as several that follow each other in the order of the rows.
type PartWriter struct {
	Attempt *Attempt
	p       *Part
	dir     string // of the files, below the table's folder
	cutAt   int64  // bytes from which on rows go to another file
	Next    int    // number of the next file
	// Appended says that the rows come to a partition that has files.
	Appended bool
	Data     *Files
}

// PartWriter writes the files of a partition, each of about cutAt bytes at most.
func (a *Attempt) PartWriter(p *Part, cutAt int64) *PartWriter {
	return &PartWriter{Attempt: a, p: p, dir: rules.PartitionFolder(a.Schema.Partition.Unit, PartValue(&p.Record)), cutAt: cutAt}
}

// TableWriter writes a table that is one file; there is none without a row.
func (a *Attempt) TableWriter(p *Part) *PartWriter {
	return &PartWriter{Attempt: a, p: p, cutAt: math.MaxInt64}
}

// Write writes a row group.
func (w *PartWriter) Write(ctx context.Context, b *column.Batch) error {
	if err := w.Open(ctx); err != nil {
		return err
	}
	return w.Data.Write(ctx, b)
}

// WriteColumns writes a row group of which one column is at hand at a time.
func (w *PartWriter) WriteColumns(ctx context.Context, n int, next func(i int) (*column.Column, error)) error {
	if err := w.Open(ctx); err != nil {
		return err
	}
	return w.Data.WriteColumns(ctx, n, next)
}

// Open makes sure that there is a file that takes rows.
func (w *PartWriter) Open(ctx context.Context) (err error) {
	if w.Data != nil && w.Data.size() >= w.cutAt {
		if err := w.End(); err != nil {
			return err
		}
	}
	if w.Data == nil {
		w.Data, err = w.Attempt.openData(ctx)
	}
	return err
}

// End makes the file that takes rows durable, if there is one.
func (w *PartWriter) End() error {
	if w.Data == nil {
		return nil
	}
	if err := w.Attempt.closeData(w.Data, path.Join(w.dir, filename.Of(w.Next, 0)), w.p); err != nil {
		return err
	}
	for i := len(w.p.Record.Files) - len(w.Data.ws); i < len(w.p.Record.Files); i++ {
		w.p.Record.Files[i].Appended = w.Appended
	}
	w.Data, w.Next = nil, w.Next+1
	return nil
}

// Finish ends a table that is one file, or gives it up if err is not nil.
func (w *PartWriter) Finish(err error) (*Part, error) {
	if err == nil {
		err = w.End()
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	if len(w.p.Record.Files) > 0 {
		w.p.Record.Rows = w.p.Record.Files[0].Rows
	}
	return w.p, nil
}

// Keep leaves a file of the partition as it is.
func (p *Part) Keep(entries []exec.File) {
	for _, f := range entries {
		f.Staged = ""
		p.Record.Files = append(p.Record.Files, f)
	}
}

// Abort gives up the file that takes rows. What was ended before stays staged.
func (w *PartWriter) Abort() {
	if w.Data != nil {
		w.Data.abort()
	}
}
