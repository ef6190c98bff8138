package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/sinks"
	"reconcile/state"
)

// dataFile is one data file of a table in a sink.
type dataFile struct {
	state.File
	id     uint32
	folder string // its partition's, below that of the table
	pin    string // that it has now
}

// filesIn lists the data files of a table that are in a sink, as they are now. Those that
// are not as the state knows them are faults.
func filesIn(ctx context.Context, lk *lake.Lake, a *applied, at int, out *Sink) (sinks.Sink, []*dataFile, error) {
	sink := a.record.Sinks[at]
	sk, err := lk.Open(ctx, sink.Root)
	if err != nil {
		return nil, nil, err
	}
	there := map[string]sinks.Object{}
	list, err := sk.List(ctx, sink.Folder)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range list {
		there[o.Path] = o
	}
	var files []*dataFile
	for _, p := range a.parts {
		for _, f := range p.Files {
			if f.Sink != at {
				continue
			}
			o, ok := there[f.Path]
			delete(there, f.Path)
			if !ok {
				out.Faults = append(out.Faults, Fault{f.Path, "it is missing"})
				continue
			}
			if o.Pin != f.Pin {
				digest, err := sk.Digest(ctx, f.Path, f.Digest)
				if err != nil {
					return nil, nil, err
				}
				if digest != f.Digest {
					out.Faults = append(out.Faults, Fault{f.Path, "it is not the file that was written"})
				}
			}
			folder := strings.TrimPrefix(strings.TrimPrefix(f.Path, sink.Folder), "/")
			folder = strings.TrimSuffix(folder[:strings.LastIndexByte("/"+folder, '/')], "/")
			files = append(files, &dataFile{File: f, id: uint32(len(files)), folder: folder, pin: o.Pin})
		}
	}
	for path := range there {
		if strings.HasSuffix(path, ".parquet") {
			out.Faults = append(out.Faults, Fault{path, "the state does not know it, and readers count its rows"})
		}
	}
	slices.SortFunc(out.Faults, func(a, b Fault) int { return strings.Compare(a.Path, b.Path) })
	return sk, files, nil
}

// share is a part of a data file, which one goroutine reads.
type share struct {
	*dataFile
	sinks.Share
}

// shares divides data files so that so many goroutines have their part of a large one.
func shares(files []*dataFile, workers int) (out []share) {
	for _, f := range files {
		for _, s := range sinks.Shares(f.Size, workers) {
			out = append(out, share{f, s})
		}
	}
	return out
}

// chooser chooses rows of the data files of a sink, and takes these. One goroutine uses it.
type chooser interface {
	// begin begins with rows of a file.
	begin(f *dataFile)
	// choose says which rows of a batch of the columns that tell a row are taken.
	choose(b *column.Batch) ([]uint32, error)
	// take takes rows that were chosen, and their places in a row group.
	take(b *column.Batch, group int, rows []uint32) error
	end() error
}

// published reads the chosen rows of data files, by so many goroutines, each with a chooser
// of its own. A file whose content cannot be read, or that has columns which the table has
// not, is a fault.
func (j *job) published(ctx context.Context, sk sinks.Sink, files []*dataFile, r rowsReader, workers int, out *Sink, newChooser func() chooser) error {
	g, ctx := errgroup.WithContext(ctx)
	list := shares(files, workers)
	faults := make([]error, len(list))
	var taken atomic.Int64
	for range min(workers, len(list)) {
		g.Go(func() error {
			c := newChooser()
			for i := taken.Add(1) - 1; i < int64(len(list)); i = taken.Add(1) - 1 {
				s := list[i]
				if err := j.share(ctx, sk, s, r, c); isFault(ctx, err) {
					faults[i] = err
				} else if err != nil {
					return fmt.Errorf("%s: %w", s.Path, err)
				}
			}
			return c.end()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	faulty := (*dataFile)(nil)
	for i, s := range list {
		if faults[i] != nil && s.dataFile != faulty {
			out.fault(Fault{s.Path, faults[i].Error()})
			faulty = s.dataFile
		}
	}
	return nil
}

// isFault reports whether the content of a data file is to blame for an error.
func isFault(ctx context.Context, err error) bool {
	var strange *strangeColumns
	return errors.As(err, &strange) || err != nil && errclass.Of(err) == errclass.Unclassed && !isOwn(err) && ctx.Err() == nil
}

// share reads the chosen rows of a share of a data file.
func (j *job) share(ctx context.Context, sk sinks.Sink, s share, r rowsReader, c chooser) error {
	of := int64(s.Of)
	read := j.tell.Stretch(exec.Comparing, s.Rows/of, j.load.workOfPublished(s.File)/of)
	defer read.End()
	c.begin(s.dataFile)
	return r.read(ctx, sk, s, func(b *column.Batch) ([]uint32, error) {
		read.Pass(b.N)
		return c.choose(b)
	}, c.take)
}

// strangeColumns says that a file has columns that its table has not.
type strangeColumns struct{ names []string }

func (s *strangeColumns) Error() string {
	return "it has columns that the table has not: " + strings.Join(s.names, ", ")
}

// rowsReader reads rows of data files, which are chosen by the first names of the wanted
// columns, in batches of about most bytes.
type rowsReader struct {
	want  []column.Column
	names int
	most  int64
	known func(name string) bool
}

// rows reads rows of data files that are chosen by the first names of their columns.
func (j *job) rows(names int) rowsReader {
	return rowsReader{want: j.a.wanted(), names: names, most: j.part, known: j.a.knows}
}

func (r *rowsReader) read(ctx context.Context, sk sinks.Sink, s share,
	choose func(b *column.Batch) ([]uint32, error), take func(b *column.Batch, group int, rows []uint32) error) (err error) {
	rd, err := sk.Open(ctx, s.Path, s.pin, r.want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	groups, ok := rd.(sinks.GroupReader)
	rows, ok2 := rd.(sinks.RowReader)
	if !ok || !ok2 {
		return &ownError{errors.New("this kind of sink cannot be verified")}
	}
	var ids, b column.Batch
	lengths := groups.Groups()
	from, to := s.Groups(len(lengths))
	for g := from; g < to; g++ {
		if err := groups.Group(ctx, g, r.want[:r.names], &ids); err != nil {
			return err
		}
		chosen, err := choose(&ids)
		if err != nil {
			return &ownError{err}
		}
		step := sinks.PartOf(groups, g, r.want, lengths[g], r.most)
		for part := range slices.Chunk(chosen, step) {
			if err := rows.Rows(ctx, g, part, r.want, &b); err != nil {
				return err
			}
			if err := take(&b, g, part); err != nil {
				return &ownError{err}
			}
		}
	}
	return r.strange(rd)
}

// strange is the error of a file that has columns that its table has not.
func (r *rowsReader) strange(rd sinks.Reader) error {
	l, ok := rd.(sinks.ColumnLister)
	if !ok {
		return nil
	}
	var strange strangeColumns
	for _, c := range l.Columns() {
		if !r.known(c.Name) {
			strange.names = append(strange.names, c.Name)
		}
	}
	if len(strange.names) > 0 {
		return &strange
	}
	return nil
}
