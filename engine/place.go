package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"reconcile/engine/exec"
	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/parquet"
	"reconcile/sinks"
)

// attempt is one try at a table's commit: everything that it stages bears its
// name, so that what an interrupted one left can be told and removed.
type attempt struct {
	task    *exec.Task
	objects exec.Objects
	sinks   []exec.Sink // by index of the task's
	schema  *schema
	// parallel is how many columns of a file are encoded at a time, more than one
	// where files are not written side by side.
	parallel int
	files    atomic.Int64
}

// stagedPart is the new content of one partition, staged and durable.
type stagedPart struct {
	record  exec.Partition
	objects []*exec.Object
}

// multiWriter writes the same rows to every sink of a table.
type multiWriter struct{ ws []sinks.Writer }

func (m *multiWriter) Write(ctx context.Context, b *column.Batch) error {
	for _, w := range m.ws {
		if err := w.Write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// copies reports whether every sink can take row groups over from a file.
func (m *multiWriter) copies() bool {
	return !slices.ContainsFunc(m.ws, func(w sinks.Writer) bool { _, ok := w.(sinks.Copier); return !ok })
}

// copy takes a row group over from a file.
func (m *multiWriter) copy(ctx context.Context, from sinks.GroupReader, group int, replace map[string]*column.Column) error {
	for _, w := range m.ws {
		if err := w.(sinks.Copier).Copy(ctx, from, group, replace); err != nil {
			return err
		}
	}
	return nil
}

// writeColumns writes a row group of which one column is at hand at a time, as
// sinks.Copier says, once for every sink.
func (m *multiWriter) writeColumns(ctx context.Context, n int, next func(i int) (*column.Column, error)) error {
	for _, w := range m.ws {
		if err := w.(sinks.Copier).WriteColumns(ctx, n, next); err != nil {
			return err
		}
	}
	return nil
}

func (m *multiWriter) abort() {
	for _, w := range m.ws {
		w.Abort()
	}
}

// size is about how many bytes the file has so far in the sink where it has most.
func (m *multiWriter) size() int64 {
	n := int64(0)
	for _, w := range m.ws {
		n = max(n, w.Size())
	}
	return n
}

// openData starts a data file in every sink.
func (a *attempt) openData(ctx context.Context) (*multiWriter, error) {
	m := &multiWriter{}
	name := fmt.Sprintf("f%06d", a.files.Add(1))
	for i, t := range a.task.Sinks {
		w, err := a.sinks[i].Stage(ctx, a.task.Attempt, name, sinks.FileSpec{Columns: a.schema.FileColumns(), Metadata: a.task.Footer, Parallel: a.parallel, Plain: t.Encodings == definition.Plain})
		if err != nil {
			m.abort()
			return nil, err
		}
		m.ws = append(m.ws, w)
	}
	return m, nil
}

// closeData makes a data file durable in every sink. final is its path below the
// table's folder until the commit names it.
func (a *attempt) closeData(m *multiWriter, final string, p *stagedPart) error {
	for i, w := range m.ws {
		f, err := w.Close()
		if err != nil {
			m.abort()
			return err
		}
		p.record.Files = append(p.record.Files, exec.File{Sink: i, Path: path.Join(a.task.Sinks[i].Folder, final),
			Size: f.Size, Rows: f.Rows, Digest: f.Digest, Staged: f.Path})
	}
	return nil
}

func newAttempt(t *exec.Task, env *exec.Env, s *schema) *attempt {
	a := &attempt{task: t, objects: env.Objects, schema: s}
	for _, s := range t.Sinks {
		a.sinks = append(a.sinks, env.Sinks[s.Root])
	}
	return a
}

// shadowWriter writes shadow rows as an object of the state.
type shadowWriter struct {
	obj exec.ObjectWriter
	pq  *parquet.Writer
}

func (a *attempt) openShadow(ctx context.Context) (*shadowWriter, error) {
	return openObject(ctx, a.objects, a.schema.FileColumns(), a.parallel)
}

func openObject(ctx context.Context, store exec.Objects, cols []column.Column, parallel int) (*shadowWriter, error) {
	w := &shadowWriter{obj: store.Create(ctx)}
	var err error
	if w.pq, err = parquet.NewWriter(w.obj, cols, parquet.Options{Compression: "zstd", Parallel: parallel}); err != nil {
		return nil, errors.Join(err, w.obj.Abort())
	}
	return w, nil
}

func (w *shadowWriter) Write(_ context.Context, b *column.Batch) error { return w.pq.WriteRowGroup(b) }

func (w *shadowWriter) close(ctx context.Context) (*exec.Object, error) {
	if _, err := w.pq.Close(); err != nil {
		return nil, errors.Join(err, w.obj.Abort())
	}
	return w.obj.Close(ctx)
}

// writePart merges the rows of one partition into new files. merge calls its
// argument for every row that stays.
func (a *attempt) writePart(ctx context.Context, o *output, value int64, ordinal uint32,
	merge func(emit func(ch *rows.Chunk, i int) error) error) (_ *stagedPart, err error) {
	p := &stagedPart{record: exec.Partition{Ordinal: ordinal, Value: value}}
	if value == rows.NullPart {
		p.record.Value, p.record.Null = 0, true
	}
	data := a.partWriter(p, o.sizes.CutAt)
	var shadow *shadowWriter
	pub := o.assembler(a.schema, func() (batchWriter, error) { return data, nil })
	sha := o.assembler(a.schema, func() (batchWriter, error) {
		var err error
		shadow, err = a.openShadow(ctx)
		return shadow, err
	})
	defer func() {
		if err != nil {
			data.abort()
		}
		if err != nil && shadow != nil {
			err = errors.Join(err, shadow.obj.Abort())
		}
	}()
	err = merge(func(ch *rows.Chunk, i int) error {
		if ch.Verdict(i) == rows.Shadow {
			return sha.add(ctx, ch, i)
		}
		return pub.add(ctx, ch, i)
	})
	if err = errors.Join(err, pub.flush(ctx), sha.flush(ctx)); err != nil {
		return nil, err
	}
	published, hidden := pub.rows, sha.rows
	p.record.Newest = o.newest(max(pub.newest, sha.newest))
	o.release(pub, sha)
	return p, a.closePart(ctx, p, data, shadow, published, hidden)
}

func (a *attempt) closePart(ctx context.Context, p *stagedPart, data *partWriter, shadow *shadowWriter, nPub, nShadow int64) error {
	p.record.Rows = nPub
	if err := data.end(); err != nil {
		return err
	}
	if shadow == nil {
		return nil
	}
	obj, err := shadow.close(ctx)
	if err != nil {
		return err
	}
	p.objects = append(p.objects, obj)
	p.record.Shadow = obj.Ref
	p.record.Shadow.Rows = nShadow
	return nil
}

// partValue returns the partition's value, NullPart for the default one.
func partValue(p *exec.Partition) int64 {
	if p.Null {
		return rows.NullPart
	}
	return p.Value
}

// output is what all partitions of a pass share.
type output struct {
	shapes *shapes
	canon  func(int64) int64
	dumps  []int64
	limits exec.Limits
	sizes  exec.Thresholds

	rescued atomic.Int64 // delivered rows that were written with something rescued
	rounded atomic.Int64 // values of delivered rows that were written
	free    sync.Pool    // of assemblers whose memory can be used again
}

// assembler returns an assembler for one file. Whoever is done with it gives it
// back with release.
func (o *output) assembler(s *schema, open func() (batchWriter, error)) *assembler {
	a, _ := o.free.Get().(*assembler)
	if a == nil {
		a = &assembler{schema: s, canon: o.canon, dumps: o.dumps, group: o.sizes.GroupRows, groupBytes: o.limits.Budget.RowGroup()}
		a.plans = plans{schema: s, shapes: o.shapes}
	}
	a.open, a.w, a.rows, a.newest = open, nil, 0, -1
	return a
}

// newest returns the dump of a rank, nil for that of no rows.
func (o *output) newest(rank int) *int64 {
	if rank < 0 {
		return nil
	}
	id := o.dumps[rank]
	return &id
}

// release takes back assemblers that were flushed.
func (o *output) release(as ...*assembler) {
	for _, a := range as {
		o.rescued.Add(a.picker.rescued)
		o.rounded.Add(a.picker.rounded)
		a.open, a.w, a.picker.rescued, a.picker.rounded = nil, nil, 0, 0
		o.free.Put(a)
	}
}
