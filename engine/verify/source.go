package verify

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
	"reconcile/engine/dump"
	"reconcile/engine/partfile"
	"reconcile/engine/rules"
	"reconcile/internal/amount"
	"reconcile/internal/column"
	"reconcile/internal/errclass"
	"reconcile/state"
)

// sourceFile is one part file of a table.
type sourceFile struct {
	dump  int64
	index int // in the manifest
	id    uint32
	key   string
	names rules.FileNames
	size  int64  // that it had when it was applied, -1 if that is not known
	lost  string // why it cannot be read; empty if it can
}

// goneReason is why a part file cannot be read; empty if it is not the file that is to
// blame, but the source, or nothing.
func goneReason(err error) string {
	if err == nil || dump.Unavailable(err) || errclass.Of(err) == errclass.Cancelled || isOwn(err) {
		return ""
	}
	return err.Error()
}

// source reads what dumps deliver.
type source struct {
	dumps   *dump.Source
	listing *dump.Listing
	limits  avro.Limits
	workers int
	key     func(verifier string) []byte
	// tell is told of what is read of part files, by several goroutines.
	tell func(rows, bytes int64)
}

// ownError is an error that the file which is read is not to blame for.
type ownError struct{ error }

func (e *ownError) Unwrap() error { return e.error }

func isOwn(err error) bool {
	var own *ownError
	return errors.As(err, &own)
}

// cannotRead says why what a dump lists of a table cannot be read; empty if it may be.
func (s *source) cannotRead(id int64, table string) string {
	d := s.listing.Dump(id)
	if d == nil {
		for _, p := range s.listing.Problems {
			if p.HasDump && p.Dump == id {
				return p.String()
			}
		}
		return "the source has no such dump"
	}
	e := d.Entry(table)
	switch {
	case e == nil:
		return "its manifest does not list the table any more"
	case e.Problem != "":
		return e.Problem
	}
	return ""
}

// isGone says why the rows of an applied dump cannot be computed again; empty if they may be.
func (s *source) isGone(d *state.Applied, table string) string {
	why := s.cannotRead(d.Dump, table)
	switch {
	case why != "":
		return why
	case s.listing.Dump(d.Dump).Entry(table).Digest != d.Digest:
		return "its manifest lists other files or columns than were applied"
	case d.StoodIn:
		return "published rows stand in for it"
	}
	return ""
}

// files lists the part files of the live dumps that a table has. What is gone is noted.
func (s *source) files(ctx context.Context, a *applied, out *Table) ([]*sourceFile, error) {
	var files []*sourceFile
	for _, d := range a.record.Applied {
		if d.Skipped || d.Lost || !a.floor.Live(d.Dump) {
			continue
		}
		out.Dumps++
		if why := s.isGone(&d, a.record.Name); why != "" {
			out.gone(d.Dump, "", why)
			continue
		}
		e := s.listing.Dump(d.Dump).Entry(a.record.Name)
		var claims partfile.Claims
		if e.HasColumns {
			var err error
			var bad *partfile.FileError
			claims, _, err = partfile.ClaimsOf(ctx, s.dumps, e.Columns, e.Files.All())
			if errors.As(err, &bad) && goneReason(err) != "" {
				out.gone(d.Dump, bad.Key, goneReason(bad.Err))
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		i := -1
		for key, err := range e.Files.All() {
			if err != nil {
				return nil, err
			}
			i++
			files = append(files, &sourceFile{dump: d.Dump, index: i, size: sizeOf(a.record, d.Dump, i, e.Files.Len()), id: uint32(len(files)), key: key,
				names: rules.FileNames{Columns: e.Columns, HasColumns: e.HasColumns, Claims: claims}})
		}
	}
	return files, nil
}

// sizeOf is the size that the n-th of so many files of a dump had when it was applied, -1
// if the state does not say.
func sizeOf(t *state.Table, dump int64, n, of int) int64 {
	for _, read := range t.Read {
		if read.Dump == dump && len(read.Files) == of {
			return read.Files[n].Size
		}
	}
	return -1
}

// rowsOf hands the chosen rows of part files to several goroutines, each with a taker of
// its own. A file that cannot be read is marked; what was taken of it does not count.
func (s *source) rowsOf(ctx context.Context, schema *rules.Schema, files []*sourceFile, newTaker func() taker) error {
	g, ctx := errgroup.WithContext(ctx)
	var nextFile atomic.Int64
	for range s.workers {
		g.Go(func() error {
			w := s.newReader(schema)
			w.taker = newTaker()
			for {
				i := int(nextFile.Add(1)) - 1
				if i >= len(files) {
					return w.taker.end()
				}
				f := files[i]
				if err := w.file(ctx, f); err != nil {
					if f.lost = goneReason(err); f.lost == "" {
						return fmt.Errorf("%s: %w", f.key, err)
					}
				}
			}
		})
	}
	return g.Wait()
}

// taker takes rows of part files.
type taker interface {
	// wants reports whether a row of a user is to be taken.
	wants(f *sourceFile, user, row int64) bool
	// take takes rows that were wanted, of one block: their columns and their places in
	// the file.
	take(f *sourceFile, names *decode.Plan, dec *decode.Decoder, rows []int64) error
	end() error
}

// reader reads part files. It decodes the user of each row, and the rest of those alone that
// are wanted.
type reader struct {
	source *source
	schema *decode.Schema
	find   *decode.Decoder
	whole  *decode.Decoder
	taker  taker
	chosen []byte
	rows   []int64
}

func (s *source) newReader(schema *rules.Schema) *reader {
	d := decode.NewSchema(schema, s.key, nil)
	return &reader{source: s, schema: d, find: decode.NewDecoder(d), whole: decode.NewDecoder(d)}
}

// file reads one file.
func (w *reader) file(ctx context.Context, f *sourceFile) error {
	first := int64(0)
	return w.source.blocks(ctx, f, w.schema, func(plan *decode.Plan, b *avro.Block) error {
		if err := plan.Begin(b); err != nil {
			return err
		}
		for {
			recs, err := w.find.Find(plan, userAt)
			if err != nil || len(recs.Ends) == 0 {
				return err
			}
			if err := w.rowsOf(f, plan, recs, first); err != nil {
				return err
			}
			first += int64(len(recs.Ends))
		}
	})
}

// rowsOf hands on the wanted rows of some records, the first of which is row first of the
// file.
func (w *reader) rowsOf(f *sourceFile, plan *decode.Plan, recs avro.Records, first int64) error {
	users := &w.find.Cols[userAt]
	w.chosen, w.rows = w.chosen[:0], w.rows[:0]
	for i := range min(users.Len(), len(recs.Ends)) {
		if row := first + int64(i); !users.IsNull(i) && w.taker.wants(f, users.Ints[i], row) {
			w.chosen = append(w.chosen, recs.Record(i)...)
			w.rows = append(w.rows, row)
		}
	}
	if len(w.rows) == 0 {
		return nil
	}
	if err := w.whole.Found(plan, w.chosen, len(w.rows)); err != nil {
		return err
	}
	if err := w.taker.take(f, plan, w.whole, w.rows); err != nil {
		return &ownError{err}
	}
	return nil
}

// blocks calls use for each block of a file.
func (s *source) blocks(ctx context.Context, f *sourceFile, schema *decode.Schema, use func(*decode.Plan, *avro.Block) error) (err error) {
	h, err := s.dumps.Open(ctx, f.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	size := h.Object().Size
	if f.size >= 0 && size != f.size {
		return fmt.Errorf("it has %s, and had %s when it was applied: the next apply looks at it", amount.Of(size, "byte"), amount.Number(f.size))
	}
	sc, err := partfile.NewScanner(partfile.Reader(h, 1), size, s.limits)
	if err != nil {
		return err
	}
	names := f.names
	names.Fields = partfile.FieldNames(sc.Header())
	plan := decode.NewPlan(sc.Header(), &names, s.limits, schema)
	told := int64(0)
	err = partfile.EachBlock(ctx, sc, func(b *avro.Block) error {
		upTo := b.Offset + int64(len(b.Data))
		s.tell(int64(b.Count), upTo-told)
		told = upTo
		return use(plan, b)
	})
	if err == nil {
		s.tell(0, size-told)
	}
	return err
}

// eachSlice hands on all rows of a file, a slice of a block at a time.
func (s *source) eachSlice(ctx context.Context, schema *rules.Schema, f *sourceFile, use func(cols []column.Column, n int)) error {
	d := decode.NewSchema(schema, s.key, nil)
	dec := decode.NewDecoder(d)
	return s.blocks(ctx, f, d, func(plan *decode.Plan, b *avro.Block) error {
		return dec.EachSlice(plan, b, func(n int) error {
			use(dec.Cols, n)
			return nil
		})
	})
}
