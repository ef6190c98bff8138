package engine

import (
	"context"
	"slices"

	"reconcile/internal/column"
	"reconcile/sinks"
)

// usersSplice merges new rows of users, which come in the order of their ids,
// into those of the published file that stay. A row group without a change is
// copied as bytes.
type usersSplice struct {
	file   sinks.GroupReader
	to     *partWriter
	schema *schema
	group  int       // rows of a row group
	gone   ascending // canonical users whose published row does not stay

	counts []int        // rows of the row groups of the file
	at     int          // the row group that is next
	users  []int64      // its users, nil before they are read
	ids    column.Batch // that they are in
	stay   []bool       // by row of it
	dirty  bool         // one of them does not stay
	extra  []userRow    // new rows up to its last

	rows []column.Pick // that wait to be written
	from []*column.Batch
	g    column.Gatherer
	// spare is a batch of rows that are all written, out the one that was written last.
	spare *column.Batch
	out   column.Batch
}

// userRow is a row of a batch of published rows.
type userRow struct {
	from *column.Batch
	at   int
}

func newUsersSplice(r *tableRun, file sinks.GroupReader, to *partWriter, gone []int64) *usersSplice {
	return &usersSplice{file: file, to: to, schema: r.schema, group: r.env.lim.groupRows, gone: ascending{gone}, counts: file.Groups()}
}

// take adds new rows. b is given away.
func (s *usersSplice) take(ctx context.Context, b *column.Batch) error {
	for i, user := range b.Cols[0].Ints {
		if err := s.advance(ctx, user); err != nil {
			return err
		}
		if s.at < len(s.counts) {
			s.extra = append(s.extra, userRow{b, i})
		} else if err := s.add(ctx, b, i); err != nil {
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
	if err := s.file.Group(ctx, s.at, s.schema.published()[:1], &s.ids); err != nil {
		return err
	}
	s.users, s.dirty = s.ids.Cols[0].Ints, false
	s.stay = slices.Grow(s.stay[:0], s.ids.N)
	for _, user := range s.users {
		gone := s.gone.has(user)
		s.stay, s.dirty = append(s.stay, !gone), s.dirty || gone
	}
	return nil
}

// write hands on the next row group and the new rows that belong to it. Few rows
// that wait are joined with it, so that row groups do not get smaller and smaller.
func (s *usersSplice) write(ctx context.Context) error {
	defer func() { s.at, s.users, s.extra = s.at+1, nil, s.extra[:0] }()
	few := len(s.rows) > 0 && len(s.rows) < s.group/4
	if s.dirty || len(s.extra) > 0 || few {
		return s.merge(ctx)
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	if err := s.to.open(ctx); err != nil {
		return err
	}
	if !s.to.data.copies() {
		return s.merge(ctx)
	}
	return s.to.data.copy(ctx, s.file, s.at, nil)
}

// merge decodes the next row group and merges it with the new rows.
func (s *usersSplice) merge(ctx context.Context) error {
	b := s.spare
	if s.spare = nil; b == nil {
		b = &column.Batch{Own: true}
	}
	if err := s.file.Group(ctx, s.at, s.schema.published(), b); err != nil {
		return err
	}
	extra := s.extra
	for i, user := range s.users {
		for len(extra) > 0 && extra[0].from.Cols[0].Ints[extra[0].at] <= user {
			if err := s.add(ctx, extra[0].from, extra[0].at); err != nil {
				return err
			}
			extra = extra[1:]
		}
		if s.stay[i] {
			if err := s.add(ctx, b, i); err != nil {
				return err
			}
		}
	}
	if len(s.rows) > 0 && len(s.rows) < s.group/2 {
		return nil
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.spare = b
	return nil
}

// add takes a row. A row group can have half as many rows again as is usual, so
// that one which gains some stays one.
func (s *usersSplice) add(ctx context.Context, b *column.Batch, i int) error {
	src := len(s.from) - 1
	for src >= 0 && s.from[src] != b {
		src--
	}
	if src < 0 {
		src, s.from = len(s.from), append(s.from, b)
	}
	s.rows = append(s.rows, column.Pick{Src: uint32(src), Row: uint32(i)})
	if len(s.rows) < s.group+s.group/2 {
		return nil
	}
	return s.flush(ctx)
}

// emptied returns the batch that was written last, without its rows. Its
// dictionaries are those of others.
func (s *usersSplice) emptied() *column.Batch {
	if s.out.Cols == nil {
		s.out.Cols = s.schema.published()
	}
	s.out.N = len(s.rows)
	for i := range s.out.Cols {
		c := &s.out.Cols[i]
		c.Codes, c.Ints, c.Floats, c.Null, c.Dict = c.Codes[:0], c.Ints[:0], c.Floats[:0], nil, nil
	}
	return &s.out
}

// flush writes the rows that wait as one row group.
func (s *usersSplice) flush(ctx context.Context) error {
	if len(s.rows) == 0 {
		return nil
	}
	out := s.emptied()
	srcs, into := make([]*column.Column, len(s.from)), ownSource(s.from)
	for c := range out.Cols {
		for i, b := range s.from {
			srcs[i] = &b.Cols[c]
		}
		s.g.ColumnInto(&out.Cols[c], srcs, s.rows, into)
	}
	clear(s.from)
	s.rows, s.from = s.rows[:0], s.from[:0]
	return s.to.Write(ctx, out)
}
