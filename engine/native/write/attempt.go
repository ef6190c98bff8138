package write

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/native/ingest"
	"reconcile/engine/rowfile"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// Attempt is one try at a table's commit: everything that it stages bears its
// name, so that what an interrupted one left can be told and removed.
type Attempt struct {
	task    *exec.Task
	objects exec.Objects
	sinks   []exec.Sink // by index of the task's
	budget  exec.Budget
	Schema  *decode.Schema
	// Parallel is how many columns of a file are encoded at a time, more than one
	// where files are not written side by side.
	Parallel int
	files    atomic.Int64
}

// Part is the new content of one partition, staged and durable.
type Part struct {
	Record  exec.Partition
	Objects []*exec.Object
}

// Files writes the same rows to every sink of a table.
type Files struct {
	ws     []sinks.Writer
	schema *decode.Schema
}

// Write writes a row group to every sink.
func (m *Files) Write(ctx context.Context, b *column.Batch) error {
	for _, w := range m.ws {
		if err := w.Write(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// Copies reports whether every sink can take row groups over from a file.
func (m *Files) Copies() bool {
	return !slices.ContainsFunc(m.ws, func(w sinks.Writer) bool { _, ok := w.(sinks.Copier); return !ok })
}

// Copy takes a row group over from a file.
func (m *Files) Copy(ctx context.Context, from sinks.GroupReader, group int, replace map[string]*column.Column) error {
	for _, w := range m.ws {
		if err := w.(sinks.Copier).Copy(ctx, from, group, replace); err != nil {
			return err
		}
	}
	return nil
}

// WriteColumns writes a row group of which one column is at hand at a time, as
// sinks.Copier says, once for every sink.
func (m *Files) WriteColumns(ctx context.Context, n int, next func(i int) (*column.Column, error)) error {
	for _, w := range m.ws {
		var err error
		if c, ok := w.(sinks.Copier); ok {
			err = c.WriteColumns(ctx, n, next)
		} else {
			err = writeTogether(ctx, w, n, len(m.schema.FileColumns()), next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeTogether writes a row group of which one column is at hand at a time to a sink that
// takes all of them at once.
func writeTogether(ctx context.Context, w sinks.Writer, n, columns int, next func(i int) (*column.Column, error)) error {
	b := &column.Batch{N: n, Cols: make([]column.Column, columns)}
	all := make([]column.SourceRow, n)
	for i := range all {
		all[i].Row = uint32(i)
	}
	var g column.Gatherer
	for i := range b.Cols {
		c, err := next(i)
		if err != nil {
			return err
		}
		b.Cols[i] = column.Column{Name: c.Name, Type: c.Type}
		g.Column(&b.Cols[i], []*column.Column{c}, all)
	}
	return w.Write(ctx, b)
}

func (m *Files) abort() {
	for _, w := range m.ws {
		w.Abort()
	}
}

// size is about how many bytes the file has so far in the sink where it has most.
func (m *Files) size() int64 {
	n := int64(0)
	for _, w := range m.ws {
		n = max(n, w.Size())
	}
	return n
}

// openData starts a data file in every sink.
func (a *Attempt) openData(ctx context.Context) (*Files, error) {
	m := &Files{schema: a.Schema}
	name := a.fileName()
	for i := range a.task.Sinks {
		w, err := a.stage(ctx, i, name)
		if err != nil {
			m.abort()
			return nil, err
		}
		m.ws = append(m.ws, w)
	}
	return m, nil
}

// fileName is the next name of a staged file.
func (a *Attempt) fileName() string { return fmt.Sprintf("f%06d", a.files.Add(1)) }

// stage starts a data file in one sink.
func (a *Attempt) stage(ctx context.Context, sink int, name string) (sinks.Writer, error) {
	return a.sinks[sink].Stage(ctx, a.task.Attempt, name, sinks.FileSpec{Columns: a.Schema.FileColumns(), Metadata: a.task.Footer,
		Parallel: a.Parallel, RowGroupBytes: a.budget.FileRowGroup() / len(a.task.Sinks), Form: a.task.Sinks[sink].Form()})
}

// CopyFile stages the rows of a file in one sink, in the form of that sink.
func (a *Attempt) CopyFile(ctx context.Context, from sinks.Reader, f exec.File, sink int, final string, p *Part, copied *exec.Stretch) error {
	t := a.task.Sinks[sink]
	w, err := a.stage(ctx, sink, a.fileName())
	if err != nil {
		return err
	}
	m := &Files{ws: []sinks.Writer{w}, schema: a.Schema}
	if err := m.copyAll(ctx, from, copied); err != nil {
		m.abort()
		return err
	}
	staged, err := w.Close()
	if err != nil {
		m.abort()
		return err
	}
	p.Record.Files = append(p.Record.Files, exec.File{Sink: sink, Path: path.Join(t.Folder, final), Size: staged.Size, Rows: staged.Rows,
		Digest: staged.Digest, Staged: staged.Path, Groups: staged.Groups, Appended: f.Appended})
	return nil
}

// copyAll takes over all rows of a file.
func (m *Files) copyAll(ctx context.Context, from sinks.Reader, copied *exec.Stretch) error {
	for {
		b, err := from.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := m.Write(ctx, b); err != nil {
			return err
		}
		copied.Pass(b.N)
	}
}

// closeData makes a data file durable in every sink. final is its path below the
// table's folder until the commit names it.
func (a *Attempt) closeData(m *Files, final string, p *Part) error {
	for i, w := range m.ws {
		f, err := w.Close()
		if err != nil {
			m.abort()
			return err
		}
		p.Record.Files = append(p.Record.Files, exec.File{Sink: i, Path: path.Join(a.task.Sinks[i].Folder, final),
			Size: f.Size, Rows: f.Rows, Digest: f.Digest, Staged: f.Path, Groups: f.Groups})
	}
	return nil
}

// NewAttempt begins to stage what a task asks for.
func NewAttempt(t *exec.Task, env *exec.Env, s *decode.Schema) *Attempt {
	a := &Attempt{task: t, objects: env.Objects, budget: env.Limits.Budget, Schema: s}
	for _, s := range t.Sinks {
		a.sinks = append(a.sinks, env.Sinks[s.Root])
	}
	return a
}

// OpenShadow begins an object of hidden rows.
func (a *Attempt) OpenShadow(ctx context.Context) (*rowfile.ObjectWriter, error) {
	return rowfile.NewObject(ctx, a.objects, a.Schema.FileColumns(), a.Parallel)
}

// WritePart merges the rows of one partition into new files. merge calls its
// argument for every row that stays. passed is told of the rows that are written.
func (a *Attempt) WritePart(ctx context.Context, o *Output, value int64, ordinal uint32, passed *exec.Stretch,
	merge func(emit func(ch *rows.Chunk, i int) error) error) (_ *Part, err error) {
	p := &Part{Record: exec.Partition{Ordinal: ordinal, Value: value}}
	if value == rules.NullPart {
		p.Record.Value, p.Record.Null = 0, true
	}
	data := a.PartWriter(p, o.Sizes.CutAt)
	var shadow *rowfile.ObjectWriter
	pub := o.RowGroupBuilder(a.Schema, passed, func() (GroupWriter, error) { return data, nil })
	sha := o.RowGroupBuilder(a.Schema, passed, func() (GroupWriter, error) {
		var err error
		shadow, err = a.OpenShadow(ctx)
		return shadow, err
	})
	defer func() {
		if err != nil {
			data.Abort()
		}
		if err != nil && shadow != nil {
			err = errors.Join(err, shadow.Object.Abort())
		}
	}()
	err = merge(func(ch *rows.Chunk, i int) error {
		if ch.Verdict(i) == rules.Shadow {
			return sha.AddRow(ctx, ch, i)
		}
		return pub.AddRow(ctx, ch, i)
	})
	if err = errors.Join(err, pub.Flush(ctx), sha.Flush(ctx)); err != nil {
		return nil, err
	}
	published, hidden := pub.Rows, sha.Rows
	p.Record.Newest = o.Newest(max(pub.Newest, sha.Newest))
	o.Release(pub, sha)
	return p, a.ClosePart(ctx, p, data, shadow, published, hidden)
}

// ClosePart ends the files of a partition, and its hidden rows if there are any.
func (a *Attempt) ClosePart(ctx context.Context, p *Part, data *PartWriter, shadow *rowfile.ObjectWriter, nPub, nShadow int64) error {
	p.Record.Rows = nPub
	if err := data.End(); err != nil {
		return err
	}
	if shadow == nil {
		return nil
	}
	obj, err := shadow.Close(ctx)
	if err != nil {
		return err
	}
	p.Objects = append(p.Objects, obj)
	p.Record.Shadow = obj.Ref
	p.Record.Shadow.Rows = nShadow
	return nil
}

// PartValue returns the partition's value, NullPart for the default one.
func PartValue(p *exec.Partition) int64 {
	if p.Null {
		return rules.NullPart
	}
	return p.Value
}

// Output is what all partitions of a pass share.
type Output struct {
	Formats *ingest.RecordFormats
	Canon   func(int64) int64
	Dumps   []int64
	Limits  exec.Limits
	Sizes   exec.Thresholds

	Rescued atomic.Int64 // delivered rows that were written with something rescued
	Rounded atomic.Int64 // values of delivered rows that were written
	free    sync.Pool    // of builders whose memory can be used again
}

// RowGroupBuilder returns a builder for one file. Whoever is done with it gives it
// back with release.
func (o *Output) RowGroupBuilder(s *decode.Schema, passed *exec.Stretch, open func() (GroupWriter, error)) *RowGroupBuilder {
	a, _ := o.free.Get().(*RowGroupBuilder)
	if a == nil {
		a = &RowGroupBuilder{schema: s, canon: o.Canon, dumps: o.Dumps, Group: o.Sizes.GroupRows, budget: o.Limits.Budget}
		a.Plans = ingest.Plans{Schema: s, Formats: o.Formats}
		if o.Limits.Wide(len(s.Payload)) && len(s.Computed) == 0 { // those are computed of whole rows
			a.wide = newWideRows(s.Payload)
		}
	}
	a.open, a.passed, a.w, a.Rows, a.Newest = open, passed, nil, 0, -1
	return a
}

// Newest returns the dump of a rank, nil for that of no rows.
func (o *Output) Newest(rank int) *int64 {
	if rank < 0 {
		return nil
	}
	id := o.Dumps[rank]
	return &id
}

// Release takes back builders that were flushed.
func (o *Output) Release(as ...*RowGroupBuilder) {
	for _, a := range as {
		o.Rescued.Add(a.Gatherer.Rescued)
		o.Rounded.Add(a.Gatherer.rounded)
		a.open, a.passed, a.w, a.Gatherer.Rescued, a.Gatherer.rounded = nil, nil, nil, 0, 0
		o.free.Put(a)
	}
}
