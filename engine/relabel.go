package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// Stored rows of a dump become rows of its echo by a new column of dumps in the
// row groups that have any; all other columns are copied as bytes.

// dumpColumns are the columns of a stored file by which its rows are moved from
// one dump to another and counted. Without rescued they are not counted.
type dumpColumns struct{ dump, rescued string }

var (
	dumpOfRows  = dumpColumns{feed.DumpID, feed.RescuedData} // of events, in the sink and in the shadow
	dumpOfKept  = dumpColumns{rules.KeptDump, rules.KeptNotes}
	dumpOfUsers = dumpColumns{dump: feed.DumpID} // published ones, made of several rows each
)

// holds reports whether a row group has rows of the first dump.
func (e *echo) holds(ctx context.Context, f sinks.GroupReader, g int, c dumpColumns) (bool, error) {
	if e == nil {
		return false, nil
	}
	var b column.Batch
	if err := f.Group(ctx, g, []column.Column{{Name: c.dump, Type: typeInt64}}, &b); err != nil {
		return false, err
	}
	return slices.Contains(b.Col(c.dump).Ints, e.of), nil
}

// move returns the new column of dumps of a row group, nil if it stays.
func (e *echo) move(ctx context.Context, f sinks.GroupReader, g int, c dumpColumns) (*column.Column, error) {
	var b, r column.Batch
	if err := f.Group(ctx, g, []column.Column{{Name: c.dump, Type: typeInt64}}, &b); err != nil || !slices.Contains(b.Col(c.dump).Ints, e.of) {
		return nil, err
	}
	if c.rescued != "" {
		if err := f.Group(ctx, g, []column.Column{{Name: c.rescued, Type: typeString}}, &r); err != nil {
			return nil, err
		}
		e.count(b.Col(c.dump).Ints, r.Col(c.rescued))
	}
	out := b.Col(c.dump)
	for i, id := range out.Ints {
		if id == e.of {
			out.Ints[i] = e.dump
		}
	}
	return out, nil
}

// countRows is count of stored rows of events.
func (e *echo) countRows(b *column.Batch) {
	if e != nil {
		e.count(b.Col(feed.DumpID).Ints, b.Col(feed.RescuedData))
	}
}

// count counts the rows of the first dump among those that are written again.
func (e *echo) count(dumps []int64, rescued *column.Column) {
	moved, kept := int64(0), int64(0)
	for i, id := range dumps {
		if id != e.of {
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

// Groups implements sinks.GroupReader.
func (o *objectReader) Groups() []int {
	rows := make([]int, o.pq.RowGroups())
	for g := range rows {
		rows[g] = o.pq.GroupRows(g)
	}
	return rows
}

// Group implements sinks.GroupReader.
func (o *objectReader) Group(ctx context.Context, group int, columns []column.Column, into *column.Batch) error {
	if err := o.pq.ReadRowGroup(group, columns, into); err != nil {
		return o.broken(err)
	}
	return ctx.Err()
}

// blame tells a damaged object from one that could not be written, where copying
// failed.
func (o *objectReader) blame(ctx context.Context, err error) error {
	if bad := o.obj.Verify(ctx); bad != nil {
		return bad
	}
	return err
}

// moveObject writes an object of rows anew, with those of the first dump as rows
// of the echo. It returns nil for one that has none of them.
func (r *tableRun) moveObject(ctx context.Context, ref exec.Ref, cols []column.Column, c dumpColumns) (_ *exec.Object, err error) {
	if ref.IsZero() {
		return nil, nil
	}
	o, err := openObjectRows(ctx, r.env.Objects, ref, cols)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	first := -1 // row group that changes
	for g := 0; g < o.pq.RowGroups() && first < 0; g++ {
		ok, err := r.echo.holds(ctx, o, g, c)
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
	w, err := openObject(ctx, r.env.Objects, cols, 1)
	if err != nil {
		return nil, err
	}
	if err := r.echo.moveGroups(ctx, o, w, c); err != nil {
		return nil, errors.Join(err, w.obj.Abort())
	}
	obj, err := w.close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = ref.Rows
	return obj, nil
}

func (e *echo) moveGroups(ctx context.Context, o *objectReader, w *shadowWriter, c dumpColumns) error {
	for g := range o.pq.RowGroups() {
		col, err := e.move(ctx, o, g, c)
		if err != nil {
			return err
		}
		if err := w.pq.CopyRowGroup(o.pq, g, replacing(col)); err != nil {
			return o.blame(ctx, err)
		}
	}
	return nil
}

// replacing lists columns by name; nil ones are left out.
func replacing(cols ...*column.Column) map[string]*column.Column {
	out := map[string]*column.Column{}
	for _, c := range cols {
		if c != nil {
			out[c.Name] = c
		}
	}
	return out
}
