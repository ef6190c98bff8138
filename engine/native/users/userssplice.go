package users

import (
	"context"
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// usersSplice merges new rows of users, which come in the order of their ids,
// into those of the published file that stay. A row group without a change is
// copied as bytes.
type usersSplice struct {
	file   sinks.GroupReader
	to     *write.PartWriter
	schema *decode.Schema
	layout *rules.Layout      // of published rows
	group  int                // rows of a row group
	gone   identity.Ascending // canonical users whose published row does not stay

	counts []int        // rows of the row groups of the file
	at     int          // the row group that is next
	users  []int64      // its users, nil before they are read
	ids    column.Batch // that they are in
	stay   []bool       // by row of it
	dirty  bool         // one of them does not stay
	extra  []userRow    // new rows up to its last

	rows  []column.SourceRow // that wait to be written
	from  []userSource
	bytes int64 // that they take
	most  int64 // that they may take
	g     column.Gatherer
	// spare holds batches of rows that are all written, out the one that was written
	// last, or its only column.
	spare []*column.Batch
	out   column.Batch

	passed *exec.Stretch // is told of the rows of the file that are done
}

// userSource is a batch of new rows, or rows of a row group of the file, of which the batch
// has what was read.
type userSource struct {
	batch  *column.Batch
	group  int   // -1 for new rows
	lo, hi int   // rows of the row group
	perRow int64 // bytes
}

// userRow is a row of a batch of published rows.
type userRow struct {
	from *column.Batch
	at   int
}

func newUsersSplice(r *pass.Run, file sinks.GroupReader, to *write.PartWriter, gone []int64) *usersSplice {
	return &usersSplice{file: file, to: to, schema: r.Schema, layout: r.Schema.Published(), group: r.Task.Thresholds.GroupRows,
		most: int64(r.Env.Limits.Budget.FileRowGroup()), gone: identity.Ascending{IDs: gone}, counts: file.Groups()}
}

// rowsLeft counts the rows of the file from the next row group on.
func (s *usersSplice) rowsLeft() int64 {
	n := int64(0)
	for _, rows := range s.counts[s.at:] {
		n += int64(rows)
	}
	return n
}

// take adds new rows. b is given away.
func (s *usersSplice) take(ctx context.Context, b *column.Batch) error {
	for i, user := range b.Cols[s.layout.User].Ints {
		if err := s.advance(ctx, user); err != nil {
			return err
		}
		if s.at < len(s.counts) {
			s.extra = append(s.extra, userRow{b, i})
		} else if err := s.add(ctx, b, -1, i); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what is left.
func (s *usersSplice) finish(ctx context.Context) error {
	for s.at < len(s.counts) {
		if err := s.read(ctx); err != nil {
			return err
		}
		if err := s.write(ctx); err != nil {
			return err
		}
	}
	return s.flush(ctx)
}

// advance writes the row groups whose users are all before user.
func (s *usersSplice) advance(ctx context.Context, user int64) error {
	for s.at < len(s.counts) {
		if err := s.read(ctx); err != nil {
			return err
		}
		if n := len(s.users); n > 0 && user <= s.users[n-1] {
			return nil
		}
		if err := s.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

// read finds out which rows of the next row group stay.
func (s *usersSplice) read(ctx context.Context) error {
	if s.users != nil {
		return nil
	}
	if err := s.file.Group(ctx, s.at, s.layout.Only(s.layout.User), &s.ids); err != nil {
		return err
	}
	s.users, s.dirty = s.ids.Col(s.schema.UserName).Ints, false
	s.stay = slices.Grow(s.stay[:0], s.ids.N)
	for _, user := range s.users {
		gone := s.gone.Has(user)
		s.stay, s.dirty = append(s.stay, !gone), s.dirty || gone
	}
	return nil
}

// write hands on the next row group and the new rows that belong to it. Few rows
// that wait are joined with it, so that row groups do not get smaller and smaller.
func (s *usersSplice) write(ctx context.Context) error {
	defer func() {
		s.passed.Pass(s.counts[s.at])
		s.at, s.users, s.extra = s.at+1, nil, s.extra[:0]
	}()
	few := len(s.rows) > 0 && len(s.rows) < s.group/4
	if s.dirty || len(s.extra) > 0 || few {
		return s.merge(ctx)
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	if err := s.to.Open(ctx); err != nil {
		return err
	}
	if !s.to.Data.Copies() {
		return s.merge(ctx)
	}
	return s.to.Data.Copy(ctx, s.file, s.at, nil)
}

// merge merges the next row group with the new rows.
func (s *usersSplice) merge(ctx context.Context) error {
	extra := s.extra
	for i, user := range s.users {
		for len(extra) > 0 && extra[0].from.Cols[s.layout.User].Ints[extra[0].at] <= user {
			if err := s.add(ctx, extra[0].from, -1, extra[0].at); err != nil {
				return err
			}
			extra = extra[1:]
		}
		if s.stay[i] {
			if err := s.add(ctx, nil, s.at, i); err != nil {
				return err
			}
		}
	}
	if len(s.rows) > 0 && len(s.rows) < s.group/2 {
		return nil
	}
	return s.flush(ctx)
}

// add takes a row of a batch of new ones, or of a row group of the file, whose rows come in
// their order. A row group can be half as large again as is usual, so that one which gains
// some rows stays one.
func (s *usersSplice) add(ctx context.Context, b *column.Batch, group, i int) error {
	at := s.source(b, group, i)
	src := &s.from[at]
	src.hi = i + 1
	s.rows = append(s.rows, column.SourceRow{Src: at, Row: uint32(i - src.lo)})
	if s.bytes += src.perRow; len(s.rows) < s.group+s.group/2 && s.bytes < s.most+s.most/2 {
		return nil
	}
	return s.flush(ctx)
}

// source returns the number of a source of the rows that wait, of which row i is next.
func (s *usersSplice) source(b *column.Batch, group, i int) uint32 {
	for i := len(s.from) - 1; i >= 0; i-- {
		if x := &s.from[i]; x.group == group && (group >= 0 || x.batch == b) {
			return uint32(i)
		}
	}
	src := userSource{batch: b, group: group}
	switch n := len(s.spare); {
	case b != nil:
		src.perRow = int64(b.Memory() / max(b.N, 1))
	case n > 0:
		src.batch, s.spare = s.spare[n-1], s.spare[:n-1]
	default:
		src.batch = &column.Batch{Own: true}
	}
	if b == nil {
		if src.perRow = s.perRow(group); src.perRow > 0 {
			src.lo = i
		}
	}
	s.from = append(s.from, src)
	return uint32(len(s.from) - 1)
}

// perRow is about how many bytes a row of a row group takes, 0 where the reader can read it
// only as a whole.
func (s *usersSplice) perRow(group int) int64 {
	r, ok := s.file.(sinks.RowReader)
	if !ok {
		return 0
	}
	return r.GroupBytes(group, s.layout.Columns) / int64(max(s.counts[group], 1))
}

// flush writes the rows that wait as one row group. One column after the other is read,
// merged and written, which takes little memory, or all of them at once, if they are
// to be encoded in parallel.
func (s *usersSplice) flush(ctx context.Context) error {
	if len(s.rows) == 0 {
		return nil
	}
	if err := s.to.Open(ctx); err != nil {
		return err
	}
	err := error(nil)
	all := s.layout.Columns
	s.out.N = len(s.rows)
	if s.to.Data.Copies() && s.to.Attempt.Parallel <= 1 {
		err = s.to.Data.WriteColumns(ctx, len(s.rows), func(i int) (*column.Column, error) {
			err := s.gather(ctx, all[i:i+1], i)
			return &s.out.Cols[0], err
		})
	} else if err = s.gather(ctx, all, 0); err == nil {
		err = s.to.Write(ctx, &s.out)
	}
	for _, src := range s.from {
		if src.group >= 0 {
			s.spare = append(s.spare, src.batch)
		}
	}
	clear(s.from)
	s.rows, s.from, s.bytes = s.rows[:0], s.from[:0], 0
	return err
}

// readSource reads columns of the rows of a row group that wait.
func (s *usersSplice) readSource(ctx context.Context, src userSource, cols []column.Column) error {
	if s.perRow(src.group) == 0 {
		return s.file.Group(ctx, src.group, cols, src.batch)
	}
	return sinks.ReadPart(ctx, s.file, src.group, cols, s.counts[src.group], src.lo, src.hi, src.batch)
}

// gather makes columns of out, the first of which is the at-th of the table, those of
// the rows that wait. Their dictionaries are those of sources.
func (s *usersSplice) gather(ctx context.Context, cols []column.Column, at int) error {
	into := -1
	for i, src := range s.from {
		if src.group < 0 {
			continue
		}
		if err := s.readSource(ctx, src, cols); err != nil {
			return err
		}
		if into < 0 || src.batch.N > s.from[into].batch.N {
			into = i
		}
	}
	srcs := make([]*column.Column, len(s.from))
	s.out.Cols = slices.Grow(s.out.Cols[:0], len(cols))[:len(cols)]
	for c := range cols {
		for i, src := range s.from {
			if srcs[i] = &src.batch.Cols[c]; src.group < 0 {
				srcs[i] = &src.batch.Cols[at+c]
			}
		}
		to := &s.out.Cols[c]
		to.Name, to.Type, to.Null, to.Dict = cols[c].Name, cols[c].Type, nil, nil
		to.Codes, to.Ints, to.Floats = to.Codes[:0], to.Ints[:0], to.Floats[:0]
		s.g.ColumnInto(to, srcs, s.rows, into)
	}
	return nil
}
