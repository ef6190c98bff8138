package rebuild

import (
	"context"
	"errors"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/commit"
	"reconcile/engine/exec"
	"reconcile/engine/filename"
	"reconcile/engine/published"
	"reconcile/engine/rowfile"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/state"
)

// A rebuild of a state computes every partition again. Where the files that are published
// hold the same rows, equal in every column, they are taken over as they are, and what
// was staged is not used. Files are compared by their rows, not their bytes: a file that
// a delta wrote has its row groups elsewhere.

// takeOver is the comparison of what a step staged with what is published.
type takeOver struct {
	task *exec.Task
	env  *exec.Env
	read *exec.Stretch // is told of published files that were compared
}

// replace replaces what a change staged by published files of the same rows. A partition is
// taken over as a whole, in each sink.
func (o *takeOver) replace(ctx context.Context, c *commit.Change, found []published.File) error {
	known := map[sinks.Place]string{} // digests
	for _, s := range c.Left {
		known[sinks.Place{Root: s.Sink, Path: s.Path}] = s.Before
	}
	in := map[sinks.Place][]published.File{} // by folder
	for _, f := range found {
		at := sinks.Place{Root: f.Root, Path: path.Dir(f.Path)}
		in[at] = append(in[at], f)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(o.env.Limits.Budget.Workers())
	for i := range c.Parts {
		p := &c.Parts[i]
		g.Go(func() error { return o.replacePart(ctx, c, p, in, known) })
	}
	return g.Wait()
}

// replacePart does so for one partition.
func (o *takeOver) replacePart(ctx context.Context, c *commit.Change, p *commit.Part, in map[sinks.Place][]published.File, known map[sinks.Place]string) error {
	files := p.Record.Files
	bySink := make([]sinkFiles, len(c.Table.Sinks))
	for i, f := range files {
		s := &bySink[f.Sink]
		s.staged, s.paths = append(s.staged, f), append(s.paths, p.Staged[i])
	}
	for i, s := range c.Table.Sinks {
		if len(bySink[i].staged) == 0 {
			continue
		}
		at := sinks.Place{Root: s.Root, Path: path.Dir(bySink[i].staged[0].Path)}
		kept, err := o.sameFiles(ctx, i, in[at], bySink[i].paths)
		if err != nil {
			return err
		}
		for k := range kept {
			kept[k].Digest = known[sinks.Place{Root: s.Root, Path: kept[k].Path}]
		}
		bySink[i].kept = kept
	}
	useKept(p, bySink)
	return nil
}

// sinkFiles are the files of a partition in one sink: staged ones, and published ones of
// the same rows, if there are.
type sinkFiles struct {
	staged []state.File
	paths  []string // of the staged ones
	kept   []state.File
}

// useKept makes published files those of the partition. Sinks of which only some have
// such must be cut alike, as a file of one number has the same rows in all sinks.
func useKept(p *commit.Part, bySink []sinkFiles) {
	have := slices.DeleteFunc(slices.Clone(bySink), func(s sinkFiles) bool { return len(s.staged) == 0 })
	layout := func(s sinkFiles) []state.File {
		if s.kept != nil {
			return s.kept
		}
		return s.staged
	}
	for _, s := range have[min(1, len(have)):] {
		if !slices.EqualFunc(layout(have[0]), layout(s), func(a, b state.File) bool {
			return filename.Number(a.Path) == filename.Number(b.Path) && a.Rows == b.Rows && a.Appended == b.Appended
		}) {
			return
		}
	}
	p.Record.Files, p.Staged = nil, nil
	for _, s := range have {
		for i, f := range layout(s) {
			staged := ""
			if s.kept == nil {
				staged = s.paths[i]
			}
			p.Record.Files, p.Staged = append(p.Record.Files, f), append(p.Staged, staged)
		}
	}
}

// sameFiles returns the records of the published files of a partition in a sink, if
// together they hold exactly the rows of the staged ones; nil if they do not.
func (o *takeOver) sameFiles(ctx context.Context, sink int, found []published.File, staged []string) (_ []state.File, err error) {
	if len(found) == 0 || slices.ContainsFunc(found, func(f published.File) bool { return filename.Number(f.Path) < 0 }) {
		return nil, nil
	}
	found = slices.Clone(found)
	slices.SortFunc(found, func(a, b published.File) int { return filename.Number(a.Path) - filename.Number(b.Path) })
	defer func() {
		for _, f := range found {
			o.read.PassBytes(f.Object.Size)
		}
	}()
	sk := o.env.Sinks[o.task.Sinks[sink].Root]
	have := make([]*rowfile.Reader, len(found))
	defer func() {
		for _, h := range have {
			err = errors.Join(err, h.Close())
		}
	}()
	cols := o.task.Schema.FileColumns()
	for i, f := range found {
		if i > 0 && filename.Number(f.Path) == filename.Number(found[i-1].Path) {
			return nil, nil
		}
		rd, ok, err := openKnown(ctx, sk, f, cols)
		if err != nil || !ok {
			return nil, err
		}
		have[i] = rowfile.NewReader(o.task.Schema, rd)
	}
	same, err := o.sameRows(ctx, sk, have, staged, cols)
	if err != nil || !same {
		return nil, err
	}
	out := make([]state.File, len(found))
	for i, f := range found {
		out[i] = state.File{Sink: sink, Path: f.Path, Size: f.Object.Size, Rows: have[i].Rows, Pin: f.Object.Pin}
		out[i].Appended = i > 0 && have[i].First.Compare(have[0].Last) < 0 || i > 0 && out[i-1].Appended
	}
	return out, nil
}

// openKnown opens a published file; ok is false if it is not one that the table could
// have: it cannot be read, or its columns are others.
func openKnown(ctx context.Context, sk exec.Sink, f published.File, cols []column.Column) (_ sinks.Reader, ok bool, err error) {
	rd, err := sk.Open(ctx, f.Path, f.Object.Pin, cols)
	if err != nil {
		return nil, false, published.UnlessDamaged(ctx, err)
	}
	d, ok := rd.(sinks.ColumnLister)
	if ok {
		for _, c := range d.Columns() {
			ok = ok && slices.ContainsFunc(cols, func(w column.Column) bool { return w.Name == c.Name && w.Type == c.Type })
		}
	}
	if !ok {
		return nil, false, rd.Close()
	}
	return rd, true, nil
}

// sameRows compares the rows of published files, merged, with those of staged ones, one
// behind the other.
func (o *takeOver) sameRows(ctx context.Context, sk exec.Sink, have []*rowfile.Reader, staged []string, cols []column.Column) (bool, error) {
	for _, path := range staged {
		rd, err := sk.Open(ctx, path, "", cols)
		if err != nil {
			return false, err
		}
		same, err := o.sameRowsIn(ctx, have, rowfile.NewReader(o.task.Schema, rd))
		if err != nil || !same {
			return false, err
		}
	}
	for _, h := range have {
		more, err := h.More(ctx)
		if err != nil {
			return false, published.UnlessDamaged(ctx, err)
		}
		if more {
			return false, nil
		}
	}
	return true, nil
}

// sameRowsIn compares the rows of one staged file, which it closes, with the next ones of
// the published files.
func (o *takeOver) sameRowsIn(ctx context.Context, have []*rowfile.Reader, want *rowfile.Reader) (_ bool, err error) {
	defer func() { err = errors.Join(err, want.Close()) }()
	for {
		more, err := want.More(ctx)
		if err != nil || !more {
			return err == nil, err
		}
		least := -1
		for i, h := range have {
			more, err := h.More(ctx)
			switch {
			case err != nil:
				return false, published.UnlessDamaged(ctx, err)
			case more && (least < 0 || h.At().Compare(have[least].At()) < 0):
				least = i
			}
		}
		if least < 0 || !have[least].Equals(want) {
			return false, nil
		}
		if !have[least].Pass() || !want.Pass() {
			return false, nil
		}
	}
}
