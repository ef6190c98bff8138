package redelivery

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rowfile"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/parquet"
	"reconcile/sinks"
)

// Stored rows of a dump become rows of its redelivery by a new column of dumps in the
// row groups that have any; all other columns are copied as bytes.

// Columns are the columns of a stored file by which its rows are moved from
// one dump to another and counted. Without rescued they are not counted.
type Columns struct{ dump, rescued string }

var (
	OfRows  = Columns{feed.DumpID, feed.RescuedData} // of events, in the sink and in the shadow
	OfKept  = Columns{rules.KeptDump, rules.KeptNotes}
	OfUsers = Columns{dump: feed.DumpID} // published ones, made of several rows each
)

// Holds reports whether a row group has rows of the first dump.
func (e *Redelivery) Holds(ctx context.Context, f sinks.GroupReader, g int, c Columns) (bool, error) {
	if e == nil {
		return false, nil
	}
	var b column.Batch
	if err := f.Group(ctx, g, []column.Column{{Name: c.dump, Type: column.Int64Type}}, &b); err != nil {
		return false, err
	}
	return slices.Contains(b.Col(c.dump).Ints, e.Of), nil
}

// Move returns the new column of dumps of a row group, nil if it stays.
func (e *Redelivery) Move(ctx context.Context, f sinks.GroupReader, g int, c Columns) (*column.Column, error) {
	var b column.Batch
	if err := f.Group(ctx, g, []column.Column{{Name: c.dump, Type: column.Int64Type}}, &b); err != nil || !slices.Contains(b.Col(c.dump).Ints, e.Of) {
		return nil, err
	}
	if err := e.countGroup(ctx, f, g, b.Col(c.dump).Ints, c.rescued); err != nil {
		return nil, err
	}
	out := b.Col(c.dump)
	for i, id := range out.Ints {
		if id == e.Of {
			out.Ints[i] = e.Dump
		}
	}
	return out, nil
}

// countGroup counts the rows of a row group of such dumps, with what its column rescued
// says, if there is one.
func (e *Redelivery) countGroup(ctx context.Context, f sinks.GroupReader, g int, dumps []int64, rescued string) error {
	if rescued == "" {
		return nil
	}
	var b column.Batch
	want := []column.Column{{Name: rescued, Type: column.StringType}}
	step := sinks.PartOf(f, g, want, len(dumps), e.part)
	for from := 0; from < len(dumps); from += step {
		to := min(from+step, len(dumps))
		if err := sinks.ReadPart(ctx, f, g, want, len(dumps), from, to, &b); err != nil {
			return err
		}
		e.Count(dumps[from:to], b.Col(rescued))
	}
	return nil
}

// CountRows is count of stored rows of events.
func (e *Redelivery) CountRows(b *column.Batch) {
	if e != nil {
		e.Count(b.Col(feed.DumpID).Ints, b.Col(feed.RescuedData))
	}
}

// Count counts the rows of the first dump among those that are written again.
func (e *Redelivery) Count(dumps []int64, rescued *column.Column) {
	moved, kept := int64(0), int64(0)
	for i, id := range dumps {
		if id != e.Of {
			continue
		}
		moved++
		if !rescued.IsNull(i) {
			kept++
		}
	}
	e.moved.Add(moved)
	e.rescued.Add(kept)
}

// MoveObject writes an object of rows again, with those of the first dump as rows
// of the redelivery. It returns nil for one that has none of them.
func (e *Redelivery) MoveObject(ctx context.Context, objects exec.Objects, ref exec.Ref, cols []column.Column, c Columns) (_ *exec.Object, err error) {
	if ref.IsZero() {
		return nil, nil
	}
	o, err := rowfile.OpenObject(ctx, objects, ref, cols, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	first := -1 // row group that changes
	for g := 0; g < o.Parquet.RowGroups() && first < 0; g++ {
		ok, err := e.Holds(ctx, o, g, c)
		if err != nil {
			return nil, err
		}
		if ok {
			first = g
		}
	}
	if first < 0 {
		return nil, nil
	}
	w, err := rowfile.NewObject(ctx, objects, cols, 1)
	if err != nil {
		return nil, err
	}
	if err := e.moveGroups(ctx, o, w, c); err != nil {
		return nil, errors.Join(err, w.Object.Abort())
	}
	obj, err := w.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = ref.Rows
	return obj, nil
}

func (e *Redelivery) moveGroups(ctx context.Context, o *rowfile.ObjectReader, w *rowfile.ObjectWriter, c Columns) error {
	for g := range o.Parquet.RowGroups() {
		col, err := e.Move(ctx, o, g, c)
		if err != nil {
			return err
		}
		if err := w.Parquet.CopyRowGroup(o.Parquet, g, parquet.Replacing(col)); err != nil {
			return o.Blame(ctx, err)
		}
	}
	return nil
}
