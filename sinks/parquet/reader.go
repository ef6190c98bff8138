package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"reconcile/internal/blob"
	"reconcile/internal/column"
	pq "reconcile/internal/parquet"
	"reconcile/sinks"
)

// Open opens a data file. An empty pin takes the file as it is.
func (s *sink) Open(ctx context.Context, path, pin string, columns []column.Column) (sinks.Reader, error) {
	h, err := s.open(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (%w)", s.drift(path, "it is gone"), fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	if pin != "" && h.Object().Pin != pin {
		return nil, errors.Join(s.drift(path, "it is not the file that was published"), h.Close())
	}
	f, err := pq.Open(h, h.Object().Size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", s.place(path), err), h.Close())
	}
	want := make([]column.Column, len(columns))
	for i, c := range columns {
		want[i] = column.Column{Name: c.Name, Type: c.Type}
	}
	return &reader{h: h, f: f, batches: f.Batches(want, s.o.Batch), place: s.place(path)}, nil
}

// reader gives the row groups of a file as batches.
type reader struct {
	h       *input
	f       *pq.File
	batches *pq.Batches
	place   string
}

func (r *reader) Next(ctx context.Context) (*column.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &column.Batch{}
	ok, err := r.batches.Next(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.place, drifted(err))
	}
	if !ok {
		return nil, nil
	}
	return b, nil
}

// GroupBytes implements sinks.RowReader.
func (r *reader) GroupBytes(group int, columns []column.Column) int64 {
	return r.f.GroupBytes(group, columns)
}

// Labels implements sinks.Labeled.
func (r *reader) Labels() map[string]string { return r.f.Metadata() }

// Columns implements sinks.ColumnLister.
func (r *reader) Columns() []column.Column { return r.f.Columns() }

// Groups implements sinks.GroupReader.
func (r *reader) Groups() []int {
	rows := make([]int, r.f.RowGroups())
	for g := range rows {
		rows[g] = r.f.GroupRows(g)
	}
	return rows
}

// Group implements sinks.GroupReader.
func (r *reader) Group(ctx context.Context, group int, columns []column.Column, into *column.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.f.ReadRowGroup(group, columns, into); err != nil {
		return fmt.Errorf("read %s: %w", r.place, drifted(err))
	}
	return nil
}

// Rows implements sinks.RowReader.
func (r *reader) Rows(ctx context.Context, group int, rows []uint32, columns []column.Column, into *column.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.f.ReadRows(group, rows, columns, into); err != nil {
		return fmt.Errorf("read %s: %w", r.place, drifted(err))
	}
	return nil
}

// drifted turns the store's word for a file that was replaced into the sink's.
func drifted(err error) error {
	if errors.Is(err, blob.ErrConflict) {
		return sinks.ErrDrift
	}
	return err
}

func (r *reader) Close() error { return r.h.Close() }
