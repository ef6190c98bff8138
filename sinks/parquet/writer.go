package parquet

import (
	"bufio"
	"context"
	"fmt"
	"hash"
	"io"
	"strings"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/failpoint"
	pq "reconcile/internal/parquet"
	"reconcile/sinks"
)

// Stage starts a data file in the attempt's staging folder.
func (s *sink) Stage(ctx context.Context, attempt, name string, spec sinks.FileSpec) (sinks.Writer, error) {
	folder, err := attemptFolder(attempt)
	if err == nil {
		err = checkName(name)
	}
	if err != nil {
		return nil, fmt.Errorf("stage a file: %w", err)
	}
	if strings.HasSuffix(strings.ToLower(name), ".parquet") {
		name += ".staged" // no reader's glob may find it
	}
	if err := failpoint.Hit(ctx, failpoint.StageCreate); err != nil {
		return nil, err
	}
	obj, err := s.store.Create(ctx, blob.Join(folder, name), blob.Cond{})
	if err != nil {
		return nil, s.class(err)
	}
	w := &writer{ctx: ctx, obj: obj, path: blob.Join(folder, name), sum: sinks.NewDigest(), s: s}
	w.buf = s.buffer(io.MultiWriter(w.sum, output{obj, s}))
	w.file, err = pq.NewWriter(w.buf, spec.Columns, pq.Options{
		Compression: spec.Form.Compression, Plain: spec.Form.Encodings == definition.Plain, Metadata: spec.Metadata, CreatedBy: s.o.CreatedBy, Pool: &s.pool, Parallel: spec.Parallel,
	})
	if err != nil {
		obj.Abort()
		return nil, fmt.Errorf("stage %s: %w", w.path, err)
	}
	w.group = newGroup(spec.Columns, spec.RowGroupBytes)
	return w, nil
}

// buffer returns a buffer in front of w.
func (s *sink) buffer(w io.Writer) *bufio.Writer {
	if b, _ := s.buffers.Get().(*bufio.Writer); b != nil {
		b.Reset(w)
		return b
	}
	return bufio.NewWriterSize(w, 256<<10)
}

// writer collects rows into row groups and writes these.
type writer struct {
	ctx   context.Context // of Stage; covers the whole file
	obj   blob.Writer
	path  string
	sum   hash.Hash
	buf   *bufio.Writer
	file  *pq.Writer
	group *group
	s     *sink
	part  column.Batch // the rows of one row group inside a larger batch
}

// Write adds rows. A batch that is no small part of a row group, in rows or in bytes, becomes
// one without being copied, also if it has up to half as many rows again.
func (w *writer) Write(ctx context.Context, b *column.Batch) error {
	if err := w.group.check(b); err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	for from := 0; from < b.N; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n := b.N - from; w.group.rows.N == 0 && (n >= w.s.o.RowGroup/8 || w.group.fills(b, n)) {
			if n >= w.s.o.RowGroup+w.s.o.RowGroup/2 { // the rest makes a row group, too
				n = w.s.o.RowGroup
			}
			if err := w.emit(slice(&w.part, b, from, n)); err != nil {
				return err
			}
			from += n
			continue
		}
		n := min(b.N-from, w.s.o.RowGroup-w.group.rows.N, w.group.room(b))
		w.group.add(b, from, n)
		from += n
		if w.group.rows.N >= w.s.o.RowGroup || w.group.full() {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Copy implements sinks.Copier.
func (w *writer) Copy(ctx context.Context, from sinks.GroupReader, group int, replace map[string]*column.Column) error {
	r, ok := from.(*reader)
	if !ok {
		return fmt.Errorf("write %s: rows cannot be copied from a %T", w.path, from)
	}
	if err := w.beginGroup(ctx); err != nil {
		return err
	}
	if err := w.file.CopyRowGroup(r.f, group, replace); err != nil {
		return fmt.Errorf("write %s: from %s: %w", w.path, r.place, drifted(err))
	}
	return nil
}

// beginGroup writes the rows that were collected, as those of a row group that does not
// come through Write follow them.
func (w *writer) beginGroup(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	return failpoint.Hit(w.ctx, failpoint.StageWrite)
}

// WriteColumns implements sinks.Copier.
func (w *writer) WriteColumns(ctx context.Context, n int, next func(i int) (*column.Column, error)) error {
	if err := w.beginGroup(ctx); err != nil {
		return err
	}
	if err := w.file.WriteColumns(n, next); err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	return nil
}

// flush writes the rows that were collected.
func (w *writer) flush() error {
	if w.group.rows.N == 0 {
		return nil
	}
	err := w.emit(&w.group.rows)
	w.group.rows.N = 0
	return err
}

func (w *writer) emit(b *column.Batch) error {
	if err := failpoint.Hit(w.ctx, failpoint.StageWrite); err != nil {
		return err
	}
	if err := w.file.WriteRowGroup(b); err != nil {
		return fmt.Errorf("write %s: %w", w.path, err)
	}
	return nil
}

// Size is that of the row groups that were written.
func (w *writer) Size() int64 { return w.file.Size() }

// Close writes what is left and makes the file durable.
func (w *writer) Close() (sinks.File, error) {
	if err := w.flush(); err != nil {
		return sinks.File{}, err
	}
	foot, err := w.file.Close()
	if err == nil {
		err = w.buf.Flush()
	}
	if err != nil {
		return sinks.File{}, fmt.Errorf("write %s: %w", w.path, err)
	}
	w.buf.Reset(nil)
	w.s.buffers.Put(w.buf)
	w.buf = nil
	if err := failpoint.Hit(w.ctx, failpoint.StageClose); err != nil {
		return sinks.File{}, err
	}
	o, err := w.obj.Commit()
	if err != nil {
		return sinks.File{}, w.s.class(err)
	}
	if o.Size != foot.Bytes {
		return sinks.File{}, fmt.Errorf("write %s: it has %s after %s were written", w.path, amount.Of(o.Size, "byte"), amount.Number(foot.Bytes))
	}
	return sinks.File{Path: w.path, Size: o.Size, Rows: foot.Rows, Digest: sinks.DigestText(w.sum), Groups: foot.Groups}, nil
}

// Abort removes what was written.
func (w *writer) Abort() { w.obj.Abort() }
