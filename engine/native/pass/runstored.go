package pass

import (
	"context"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/engine/rowfile"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// EachStored reads the data files and the shadow rows of a partition.
func (r *Run) EachStored(ctx context.Context, p *exec.Partition, want []column.Column, use func(b *column.Batch, shadow bool) error) error {
	for _, f := range p.Files {
		if f.Sink != r.Old.ReadFrom {
			continue
		}
		rd, err := r.OpenData(ctx, f, want)
		if err != nil {
			return err
		}
		if err := rowfile.EachBatch(ctx, rd, func(b *column.Batch) error { return use(b, false) }); err != nil {
			return fmt.Errorf("reading %s: %w", f.Path, err)
		}
	}
	if p.Shadow.IsZero() {
		return nil
	}
	rd, err := r.OpenObject(ctx, p.Shadow, want)
	if err != nil {
		return err
	}
	return rowfile.EachBatch(ctx, rd, func(b *column.Batch) error { return use(b, true) })
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
