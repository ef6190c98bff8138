package rowfile

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
)

// ObjectWriter writes shadow rows as an object of the state.
type ObjectWriter struct {
	Object  exec.ObjectWriter
	Parquet *parquet.Writer
}

// NewObject begins an object of rows, of which so many columns may be encoded at a time.
// It ends with Close, or with Abort of its Object.
func NewObject(ctx context.Context, store exec.Objects, cols []column.Column, parallel int) (*ObjectWriter, error) {
	w := &ObjectWriter{Object: store.Create(ctx)}
	var err error
	if w.Parquet, err = parquet.NewWriter(w.Object, cols, parquet.Options{Compression: "zstd", Parallel: parallel}); err != nil {
		return nil, errors.Join(err, w.Object.Abort())
	}
	return w, nil
}

// Write writes a row group.
func (w *ObjectWriter) Write(_ context.Context, b *column.Batch) error {
	return w.Parquet.WriteRowGroup(b)
}

// WriteColumns writes a row group of which one column is at hand at a time.
func (w *ObjectWriter) WriteColumns(_ context.Context, n int, next func(i int) (*column.Column, error)) error {
	return w.Parquet.WriteColumns(n, next)
}

// Close ends the object. After an error it is given up.
func (w *ObjectWriter) Close(ctx context.Context) (*exec.Object, error) {
	if _, err := w.Parquet.Close(); err != nil {
		return nil, errors.Join(err, w.Object.Abort())
	}
	return w.Object.Close(ctx)
}
