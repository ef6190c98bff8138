package rowfile

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
)

// ObjectReader reads rows of an object of the state, a row group at a time.
type ObjectReader struct {
	Object  exec.OpenObject
	Parquet *parquet.File
	Want    []column.Column
	Batches *parquet.Batches
}

// OpenObject opens an object of rows, of which the columns of want are read, in batches of
// about so many bytes; 0 for whole row groups.
func OpenObject(ctx context.Context, store exec.Objects, ref exec.Ref, want []column.Column, batch int) (*ObjectReader, error) {
	obj, err := store.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	pq, err := parquet.Open(obj, obj.Size())
	if err != nil {
		return nil, errors.Join(obj.Damaged(err), obj.Close())
	}
	return &ObjectReader{Object: obj, Parquet: pq, Want: want, Batches: pq.Batches(want, int64(batch))}, nil
}

// Next implements sinks.Reader.
func (o *ObjectReader) Next(context.Context) (*column.Batch, error) {
	b := &column.Batch{}
	ok, err := o.Batches.Next(b)
	if err != nil {
		return nil, o.Broken(err)
	}
	if !ok {
		return nil, nil
	}
	return b, nil
}

// Broken is the error of an object that cannot be read because of err.
func (o *ObjectReader) Broken(err error) error { return o.Object.Damaged(err) }

// Close implements sinks.Reader.
func (o *ObjectReader) Close() error { return o.Object.Close() }

// Groups implements sinks.GroupReader.
func (o *ObjectReader) Groups() []int {
	rows := make([]int, o.Parquet.RowGroups())
	for g := range rows {
		rows[g] = o.Parquet.GroupRows(g)
	}
	return rows
}

// Group implements sinks.GroupReader.
func (o *ObjectReader) Group(ctx context.Context, group int, columns []column.Column, into *column.Batch) error {
	if err := o.Parquet.ReadRowGroup(group, columns, into); err != nil {
		return o.Broken(err)
	}
	return ctx.Err()
}

// GroupBytes implements sinks.RowReader.
func (o *ObjectReader) GroupBytes(group int, columns []column.Column) int64 {
	return o.Parquet.GroupBytes(group, columns)
}

// Rows implements sinks.RowReader.
func (o *ObjectReader) Rows(ctx context.Context, group int, rows []uint32, columns []column.Column, into *column.Batch) error {
	if err := o.Parquet.ReadRows(group, rows, columns, into); err != nil {
		return o.Broken(err)
	}
	return ctx.Err()
}

// Blame tells a damaged object from one that could not be written, where copying
// failed.
func (o *ObjectReader) Blame(ctx context.Context, err error) error {
	if bad := o.Object.Verify(ctx); bad != nil {
		return bad
	}
	return err
}
