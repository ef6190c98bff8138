package events

import (
	"context"
	"errors"
	"maps"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/filename"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// spliceFile is one file of the partition.
type spliceFile struct {
	entries []exec.File // of it, in each sink
	number  int         // that its name has
	rd      sinks.GroupReader
	lo, hi  int        // its row groups
	extra   []extraRow // rows that come to it, sorted
}

// MaxAppended is how many files may be added to a partition before all of it is
// written as one again.
const MaxAppended = 8

// filesOf lists the files of a partition, none if sinks differ in them.
func (d *deltaRun) filesOf(p *exec.Partition) []*spliceFile {
	if p == nil {
		return nil
	}
	var out []*spliceFile
	for _, f := range p.Files {
		number := filename.Number(f.Path)
		i := slices.IndexFunc(out, func(x *spliceFile) bool { return x.number == number })
		if i < 0 {
			i = len(out)
			out = append(out, &spliceFile{number: number})
		}
		out[i].entries = append(out[i].entries, f)
	}
	if slices.ContainsFunc(out, func(x *spliceFile) bool { return x.number < 0 || len(x.entries) != len(d.OldSinks) }) {
		return nil
	}
	return out
}

// openFiles opens the files in the sink that is read, and reports whether their row
// groups can be read one by one.
func (s *splice) openFiles(ctx context.Context) (bool, error) {
	for _, f := range s.files {
		i := slices.IndexFunc(f.entries, func(e exec.File) bool { return e.Sink == s.d.Old.ReadFrom })
		rd, err := s.d.OpenData(ctx, f.entries[i], s.d.layout.Columns)
		if err != nil {
			return false, err
		}
		var ok bool
		if f.rd, ok = rd.(sinks.GroupReader); !ok {
			return false, rd.Close()
		}
	}
	return true, nil
}

func (s *splice) close() error {
	s.d.looked.Put(s.probed)
	s.probed = nil
	var errs []error
	for _, f := range s.files {
		if f.rd != nil {
			errs = append(errs, f.rd.Close())
		}
	}
	return errors.Join(errs...)
}

// tooManyAppended decides whether the rows that come get a file of their own, and reports
// whether there would be so many of these, or of rows in them, that the partition
// is to be written as a whole.
func (s *splice) tooManyAppended() bool {
	size, base, appended, added, come := int64(0), int64(0), 0, int64(0), false
	for _, f := range s.files {
		e := f.entries[0]
		if size += e.Size; e.Appended {
			appended, added = appended+1, added+e.Rows
		} else {
			base += e.Rows
		}
	}
	for _, e := range s.extra {
		if e.verdict() == rules.Publish {
			added, come = added+1, true
		}
	}
	s.apart = len(s.files) > 1 || size >= s.d.Task.Thresholds.AppendAt
	return s.apart && come && (appended >= MaxAppended || added > base)
}

// winner is what rows compete for: one of each is published.
type winner struct{ key, user int64 }

// assign distributes the new rows over the files. A row that replaces another goes into
// the file of that one. So only one file changes for it, and a reader sees the row once,
// whenever it opens the files.
func (s *splice) assign(ctx context.Context) error {
	if !s.apart {
		s.files[0].extra = s.extra
		return nil
	}
	lost, err := s.lost(ctx)
	if err != nil {
		return err
	}
	for _, e := range s.extra {
		if f := lost[winner{e.row().Key, s.d.Canon(e.row().Raw)}]; f != nil {
			f.extra = append(f.extra, e)
		} else {
			s.rest = append(s.rest, e)
		}
	}
	return nil
}

// lost says which file loses a row to which winner.
func (s *splice) lost(ctx context.Context) (map[winner]*spliceFile, error) {
	out := map[winner]*spliceFile{}
	base, overridden := 0, s.overrides.positions()
	var b column.Batch
	l := s.d.layout
	want := l.Only(l.Key, l.RawUser)
	for _, f := range s.files {
		for g, n := range f.rd.Groups() {
			base += n
			if len(overridden) == 0 || overridden[0] >= base {
				continue
			}
			if err := f.rd.Group(ctx, g, want, &b); err != nil {
				return nil, err
			}
			for ; len(overridden) > 0 && overridden[0] < base; overridden = overridden[1:] {
				at := overridden[0] - (base - n)
				out[winner{b.Col(want[0].Name).Ints[at], s.d.Canon(b.Col(want[1].Name).Ints[at])}] = f
			}
		}
	}
	return out, nil
}

// positions returns where the overridden rows of the data files are, in order.
func (m *storedOverrides) positions() []int { return slices.Sorted(maps.Keys(m.data)) }

// writeFile writes a file again, or keeps it if it need not be.
func (s *splice) writeFile(ctx context.Context, f *spliceFile) error {
	changes := func(g groupPlan) bool { return g.dirty || g.rekeyed || g.redelivered }
	if s.apart && !slices.ContainsFunc(s.groups[f.lo:f.hi], changes) {
		s.part.Keep(f.entries)
		s.kept += f.entries[0].Rows
		return nil
	}
	s.data.Next, s.data.Appended = f.number, f.entries[0].Appended
	for g := f.lo; g < f.hi; g++ {
		if err := s.write(ctx, g); err != nil {
			return err
		}
	}
	if err := s.pub.Flush(ctx); err != nil {
		return err
	}
	return s.data.End()
}

// appendExtra writes the rows that get a file of their own.
func (s *splice) appendExtra(ctx context.Context) error {
	if s.apart {
		s.data.Next, s.data.Appended = 0, true
		for _, f := range s.files {
			s.data.Next = max(s.data.Next, f.number+1)
		}
		for _, e := range s.rest {
			if err := s.emit(ctx, e.chunk, e.at); err != nil {
				return err
			}
		}
	}
	return errors.Join(s.pub.Flush(ctx), s.sha.Flush(ctx))
}
