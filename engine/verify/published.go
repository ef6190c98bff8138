package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// published reads the chosen rows of a data file: names tells how many columns the rows are
// chosen by, of those that are wanted, and choose says which of a batch of these are taken.
// A file whose content cannot be read, or that has columns which the table has not, is a
// fault.
func (j *job) published(ctx context.Context, sk sinks.Sink, f *dataFile, want []column.Column, names int, known func(name string) bool, out *Sink,
	choose func(b *column.Batch) ([]uint32, error), take func(b *column.Batch, group int, rows []uint32) error) error {
	read := j.tell.Stretch(exec.Comparing, f.Rows, workOfPublished(f.Size))
	defer read.End()
	err := readChosen(ctx, sk, f, want, names, known, func(b *column.Batch) ([]uint32, error) {
		read.Pass(b.N)
		return choose(b)
	}, take)
	var strange *strangeColumns
	switch {
	case err == nil:
		return nil
	case errors.As(err, &strange), errclass.Of(err) == errclass.Unclassed && !isOwn(err) && ctx.Err() == nil:
		out.Faults = append(out.Faults, Fault{f.Path, err.Error()})
		return nil
	}
	return fmt.Errorf("%s: %w", f.Path, err)
}

// strangeColumns says that a file has columns that its table has not.
type strangeColumns struct{ names []string }

func (s *strangeColumns) Error() string {
	return "it has columns that the table has not: " + strings.Join(s.names, ", ")
}

func readChosen(ctx context.Context, sk sinks.Sink, f *dataFile, want []column.Column, names int, known func(string) bool,
	choose func(b *column.Batch) ([]uint32, error), take func(b *column.Batch, group int, rows []uint32) error) (err error) {
	rd, err := sk.Open(ctx, f.Path, f.pin, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Close()) }()
	groups, ok := rd.(sinks.GroupReader)
	rows, ok2 := rd.(sinks.RowReader)
	if !ok || !ok2 {
		return &ownError{errors.New("this kind of sink cannot be verified")}
	}
	var strange strangeColumns
	if l, ok := rd.(sinks.ColumnLister); ok {
		for _, c := range l.Columns() {
			if !known(c.Name) {
				strange.names = append(strange.names, c.Name)
			}
		}
	}
	var ids, b column.Batch
	for g := range groups.Groups() {
		if err := groups.Group(ctx, g, want[:names], &ids); err != nil {
			return err
		}
		chosen, err := choose(&ids)
		if err != nil {
			return &ownError{err}
		}
		if len(chosen) == 0 {
			continue
		}
		if err := rows.Rows(ctx, g, chosen, want, &b); err != nil {
			return err
		}
		if err := take(&b, g, chosen); err != nil {
			return &ownError{err}
		}
	}
	if len(strange.names) > 0 {
		return &strange
	}
	return nil
}
