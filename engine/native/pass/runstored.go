package pass

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/engine/rowfile"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// StoredFile is a file of rows that the table has: a data file, or the shadow rows of a
// partition.
type StoredFile struct {
	Rows   int64
	Bytes  int64 // of a data file
	Shadow bool
	open   func(ctx context.Context, want []column.Column) (sinks.Reader, error)
	path   string // of a data file
}

// StoredFiles returns the files of partitions, in the sink that is read.
func (r *Run) StoredFiles(parts ...*exec.Partition) []StoredFile {
	var out []StoredFile
	for _, p := range parts {
		for _, f := range p.Files {
			if f.Sink == r.Old.ReadFrom {
				open := func(ctx context.Context, want []column.Column) (sinks.Reader, error) { return r.OpenData(ctx, f, want) }
				out = append(out, StoredFile{Rows: f.Rows, Bytes: f.Size, path: f.Path, open: open})
			}
		}
		if !p.Shadow.IsZero() {
			open := func(ctx context.Context, want []column.Column) (sinks.Reader, error) {
				return r.OpenObject(ctx, p.Shadow, want)
			}
			out = append(out, StoredFile{Rows: p.Shadow.Rows, Shadow: true, open: open})
		}
	}
	return out
}

// Each reads columns of the rows.
func (f *StoredFile) Each(ctx context.Context, want []column.Column, use func(*column.Batch) error) error {
	rd, err := f.open(ctx, want)
	if err != nil {
		return err
	}
	return f.failed(rowfile.EachBatch(ctx, rd, use))
}

// EachOf reads columns of the rows of a share, in batches of about most bytes; all of a file as
// Each does. Where the file cannot be read by row groups the first share is all of it.
func (f *StoredFile) EachOf(ctx context.Context, share sinks.Share, most int64, want []column.Column, use func(*column.Batch) error) (err error) {
	rd, err := f.open(ctx, want)
	if err != nil {
		return err
	}
	groups, ok := rd.(sinks.GroupReader)
	if share.Of == 1 || !ok && share.N == 0 {
		return f.failed(rowfile.EachBatch(ctx, rd, use))
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	if !ok {
		return nil
	}
	lengths := groups.Groups()
	from, to := share.Groups(len(lengths))
	for g := from; g < to; g++ {
		step := sinks.PartOf(groups, g, want, lengths[g], most)
		for row := 0; row < lengths[g]; row += step {
			b := &column.Batch{}
			err := sinks.ReadPart(ctx, groups, g, want, lengths[g], row, row+step, b)
			if err == nil {
				err = use(b)
			}
			if err != nil {
				return f.failed(err)
			}
		}
	}
	return nil
}

// failed says which file could not be read.
func (f *StoredFile) failed(err error) error {
	if err != nil && !f.Shadow {
		return fmt.Errorf("reading %s: %w", f.path, err)
	}
	return err
}

// EachStored reads the data files and the shadow rows of a partition.
func (r *Run) EachStored(ctx context.Context, p *exec.Partition, want []column.Column, use func(b *column.Batch, shadow bool) error) error {
	for _, f := range r.StoredFiles(p) {
		if err := f.Each(ctx, want, func(b *column.Batch) error { return use(b, f.Shadow) }); err != nil {
			return err
		}
	}
	return nil
}

// OpenData opens a data file that the table has. The caller closes it.
func (r *Run) OpenData(ctx context.Context, f exec.File, want []column.Column) (sinks.Reader, error) {
	return r.OldSinks[f.Sink].Open(ctx, f.Path, f.Pin, want)
}

// OpenObject opens an object of rows that the table has. The caller closes it.
func (r *Run) OpenObject(ctx context.Context, ref exec.Ref, want []column.Column) (sinks.Reader, error) {
	rd, err := rowfile.OpenObject(ctx, r.Env.Objects, ref, want, r.Env.Limits.Budget.FileRowGroup())
	if err != nil {
		return nil, err
	}
	return rd, nil
}
