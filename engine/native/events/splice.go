package events

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"reconcile/engine/exec"
	"reconcile/engine/native/redelivery"
	"reconcile/engine/native/write"
	"reconcile/engine/rowfile"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
	"reconcile/internal/parquet"
)

// splice gives a partition that has files its new content. A row group that
// neither gains nor loses rows is copied as bytes, with a new user_id where its
// rows were re-keyed and new dumps where a redelivery has them; only the others are
// decoded and encoded. A file of which no row group changes stays. Rows that come
// to a large partition get a file of their own: its others are then only written
// if they lose rows or some of their columns change.
type splice struct {
	d         *deltaRun
	old       *exec.Partition
	files     []*spliceFile
	overrides *storedOverrides
	groups    []groupPlan   // of all files, one after the other
	probed    *column.Batch // what was read of the last of them to decide that
	extra     []extraRow    // sorted by (raw user, key)
	apart     bool          // extra rows get a file of their own, but for those that replace others
	rest      []extraRow    // those that do
	hides     bool          // the shadow rows change
	// shadows are the shadow rows, read because they change.
	shadows []*storedPart
	// redelivered are the shadow rows as those of a redelivery where nothing else changes
	// in them; nil if they stay as they are.
	redelivered *exec.Object

	part   *write.Part
	data   *write.PartWriter
	shadow *rowfile.ObjectWriter
	pub    *write.RowGroupBuilder
	sha    *write.RowGroupBuilder
	copied int64 // rows
	kept   int64 // rows of files that stay
	passed *exec.Stretch
}

// extraRow is a row that is added to the file: a delivered one, or one of the shadow
// rows.
type extraRow struct {
	chunk *rows.Chunk
	at    int
}

func (e extraRow) row() *rules.Row { return &e.chunk.Rows[e.at] }

func (e extraRow) verdict() rules.Verdict { return e.chunk.Verdict(e.at) }

// newSplice returns nil for a partition that must be written as a whole.
func (d *deltaRun) newSplice(ctx context.Context, p *exec.Partition) (*splice, error) {
	files := d.filesOf(p)
	if len(files) == 0 {
		return nil, nil
	}
	s := &splice{d: d, old: p, files: files, overrides: d.stored[p.Ordinal]}
	if s.probed, _ = d.looked.Get().(*column.Batch); s.probed == nil {
		s.probed = &column.Batch{}
	}
	if s.overrides == nil {
		s.overrides = &storedOverrides{}
	}
	fits, err := s.openFiles(ctx)
	if err == nil && fits {
		err = s.gather(ctx)
	}
	if err != nil || !fits || s.tooManyAppended() {
		return nil, errors.Join(err, s.close())
	}
	if err := s.assign(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// run returns the partition's new content, nil if it is the old one.
func (s *splice) run(ctx context.Context, o *write.Output, passed *exec.Stretch) (_ *write.Part, err error) {
	a := s.d.Attempt
	s.passed = passed
	s.part = &write.Part{Record: exec.Partition{Ordinal: s.old.Ordinal, Value: s.old.Value, Null: s.old.Null}}
	s.data = a.PartWriter(s.part, math.MaxInt64)
	defer func() {
		err = errors.Join(err, s.close())
		if err != nil {
			s.data.Abort()
		}
		if err != nil && s.shadow != nil {
			err = errors.Join(err, s.shadow.Object.Abort())
		}
	}()
	if err := s.moveShadow(ctx); err != nil {
		return nil, err
	}
	changes, err := s.plan(ctx)
	if err != nil || !changes {
		return nil, err
	}
	s.pub = o.RowGroupBuilder(a.Schema, passed, func() (write.GroupWriter, error) { return s.data, nil })
	s.sha = o.RowGroupBuilder(a.Schema, passed, func() (write.GroupWriter, error) {
		var err error
		s.shadow, err = a.OpenShadow(ctx)
		return s.shadow, err
	})
	s.pub.Expect(s.expected())
	for _, f := range s.files {
		if err := s.writeFile(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := s.appendExtra(ctx); err != nil {
		return nil, err
	}
	published, hidden := s.pub.Rows+s.copied+s.kept, s.sha.Rows
	s.part.Record.Newest = o.Newest(max(s.pub.Newest, s.sha.Newest, s.newestKept()))
	o.Release(s.pub, s.sha)
	if err := a.ClosePart(ctx, s.part, s.data, s.shadow, published, hidden); err != nil {
		return nil, err
	}
	s.keepShadow()
	return s.part, nil
}

// moveShadow moves the shadow rows of a redelivery. Those that are merged anyway are only
// counted, which had to wait until it was certain that the partition is spliced.
func (s *splice) moveShadow(ctx context.Context) (err error) {
	if s.d.Redelivery == nil {
		return nil
	}
	for _, p := range s.shadows {
		s.d.Redelivery.CountRows(p.batch)
	}
	if !s.hides {
		s.redelivered, err = s.d.Redelivery.MoveObject(ctx, s.d.Env.Objects, s.old.Shadow, s.d.Schema.FileColumns(), redelivery.OfRows)
	}
	return err
}

// keepShadow gives the new content the shadow rows that were not merged.
func (s *splice) keepShadow() {
	switch {
	case s.hides:
	case s.redelivered != nil:
		s.part.Objects = append(s.part.Objects, s.redelivered)
		s.part.Record.Shadow = s.redelivered.Ref
	default:
		s.part.Record.Shadow = s.old.Shadow
	}
}

// newestKept is the rank of a dump that is not less than those of the rows that
// are not rewritten.
func (s *splice) newestKept() int {
	last := len(s.d.Task.Dumps) - 1
	switch {
	case s.copied+s.kept == 0 && (s.hides || s.old.Shadow.IsZero()):
		return -1
	case s.old.Newest == nil:
		return last
	}
	rank, ok := s.d.Rank[*s.old.Newest]
	if !ok {
		return last
	}
	return rank
}

// expected is about how many rows there are to encode.
func (s *splice) expected() int {
	n := len(s.extra)
	for _, g := range s.groups {
		if g.dirty {
			n += g.rows
		}
	}
	return n
}

// gather collects the rows that come to those of the file. The shadow rows are
// read only if they change.
func (s *splice) gather(ctx context.Context) error {
	value := write.PartValue(s.old)
	s.hides = len(s.overrides.shadow) > 0
	for _, v := range s.overrides.data {
		s.hides = s.hides || v == rules.Shadow
	}
	for _, seg := range s.d.ing.Segments {
		if ch := seg.Part(value); ch != nil {
			s.take(ch)
		}
	}
	for _, e := range s.extra {
		s.hides = s.hides || e.verdict() == rules.Shadow
	}
	if s.hides && !s.old.Shadow.IsZero() {
		if err := s.gatherShadow(ctx); err != nil {
			return err
		}
	}
	slices.SortFunc(s.extra, func(a, b extraRow) int { return compareRows(a.row(), b.row()) })
	return nil
}

func (s *splice) gatherShadow(ctx context.Context) (err error) {
	c := s.d.shadowCursor(s.old, s.overrides)
	c.count = func(p *storedPart) { s.shadows = append(s.shadows, p) }
	defer func() { err = errors.Join(err, c.Close()) }()
	for {
		ch, err := c.Next(ctx)
		if err != nil || ch == nil {
			return err
		}
		s.take(ch)
	}
}

func (s *splice) take(ch *rows.Chunk) {
	for i := range ch.Rows {
		if ch.Verdict(i) != rules.Drop {
			s.extra = append(s.extra, extraRow{ch, i})
		}
	}
}

// compareRows is the order of the rows of a file.
func compareRows(a, b *rules.Row) int {
	if a.Raw != b.Raw {
		return cmp.Compare(a.Raw, b.Raw)
	}
	return cmp.Compare(a.Key, b.Key)
}

// write hands on a row group and the extra rows behind it. Few rows that are
// waiting for a row group are joined with the next group, so that row groups do
// not get smaller and smaller.
func (s *splice) write(ctx context.Context, g int) error {
	p := &s.groups[g]
	if p.dirty || s.pub.Few() {
		return s.merge(ctx, g)
	}
	for _, e := range p.file.extra[p.lo:p.hi] { // all of them shadows
		if err := s.sha.AddRow(ctx, e.chunk, e.at); err != nil {
			return err
		}
	}
	if err := s.pub.Flush(ctx); err != nil {
		return err
	}
	if err := s.data.Open(ctx); err != nil {
		return err
	}
	if !s.data.Data.Copies() {
		return s.merge(ctx, g)
	}
	s.copied += int64(p.rows)
	s.passed.Pass(p.rows)
	var users, dumps *column.Column
	var err error
	if p.rekeyed {
		users, err = s.newUsers(ctx, p)
	}
	if err == nil && p.redelivered {
		dumps, err = s.d.Redelivery.Move(ctx, p.file.rd, p.at, redelivery.OfRows)
	}
	if err != nil {
		return err
	}
	return s.data.Data.Copy(ctx, p.file.rd, p.at, parquet.Replacing(users, dumps))
}

// newUsers returns the column of canonical users of a row group. The raw users of
// the last one, mostly the only one, are at hand.
func (s *splice) newUsers(ctx context.Context, p *groupPlan) (*column.Column, error) {
	b := s.probed
	if p != &s.groups[len(s.groups)-1] {
		b = &column.Batch{}
		if err := p.file.rd.Group(ctx, p.at, []column.Column{{Name: feed.RawUserID, Type: column.Int64Type}}, b); err != nil {
			return nil, err
		}
	}
	c := &column.Column{Name: s.d.Schema.UserName, Type: column.Int64Type, Ints: b.Col(feed.RawUserID).Ints}
	s.d.NewMapping.CanonAll(c.Ints)
	return c, nil
}

// merge decodes a row group and merges it with the extra rows.
func (s *splice) merge(ctx context.Context, g int) error {
	p := &s.groups[g]
	extra := p.file.extra[p.lo:p.hi]
	form := &s.d.form
	part := form.partOf(p.file.rd, p.at, p.rows)
	for from := 0; from < p.rows; from += part {
		read, err := form.read(ctx, p.file.rd, p.at, p.rows, from, from+part)
		if err != nil {
			return err
		}
		s.d.Redelivery.CountRows(read.batch)
		ch, err := form.chunk(read, write.PartValue(s.old), s.overrides.data, p.base+from, rules.Publish)
		if err != nil {
			return err
		}
		for i := range ch.Rows {
			for len(extra) > 0 && compareRows(extra[0].row(), &ch.Rows[i]) < 0 {
				if err := s.emit(ctx, extra[0].chunk, extra[0].at); err != nil {
					return err
				}
				extra = extra[1:]
			}
			if err := s.emit(ctx, ch, i); err != nil {
				return err
			}
		}
	}
	for _, e := range extra {
		if err := s.emit(ctx, e.chunk, e.at); err != nil {
			return err
		}
	}
	return nil
}

func (s *splice) emit(ctx context.Context, ch *rows.Chunk, i int) error {
	switch ch.Verdict(i) {
	case rules.Publish:
		return s.pub.AddRow(ctx, ch, i)
	case rules.Shadow:
		return s.sha.AddRow(ctx, ch, i)
	}
	return nil
}
