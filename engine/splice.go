package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/state"
)

// splice gives a partition that has a file its new content. A row group that
// neither gains nor loses rows is copied as bytes, with a new user_id where its
// rows were re-keyed; only the others are decoded and encoded.
type splice struct {
	d      *deltaRun
	old    *state.Partition
	file   sinks.GroupReader
	marks  *storedMarks
	groups []groupPlan
	extra  []extraRow // sorted by (raw user, key)
	hides  bool       // the shadow rows change

	part   *part
	data   *multiWriter
	shadow *shadowWriter
	pub    *assembler
	sha    *assembler
	copied int64 // rows
}

// extraRow is a row that comes to the rows of the file: a delivered one, or
// one of the shadow rows.
type extraRow struct {
	chunk *rows.Chunk
	at    int
}

func (e extraRow) row() *rows.Row { return &e.chunk.Rows[e.at] }

func (e extraRow) verdict() rows.Verdict { return e.chunk.Verdict(e.at) }

// groupPlan is what becomes of a row group.
type groupPlan struct {
	base, rows int // its first row in the file, their number
	lo, hi     int // the extra rows that fall between it and the next
	dirty      bool
	rekeyed    bool
}

// newSplice returns nil for a partition that must be written as a whole.
func (d *deltaRun) newSplice(ctx context.Context, p *state.Partition) (*splice, error) {
	if p == nil {
		return nil, nil
	}
	files := slices.DeleteFunc(slices.Clone(p.Files), func(f state.File) bool { return f.Sink != d.readFrom })
	if len(files) != 1 {
		return nil, nil
	}
	rd, err := d.openData(ctx, files[0], d.storedColumns())
	if err != nil {
		return nil, err
	}
	g, ok := rd.(sinks.GroupReader)
	if !ok {
		return nil, rd.Close()
	}
	s := &splice{d: d, old: p, file: g, marks: d.stored[p.Ordinal]}
	if s.marks == nil {
		s.marks = &storedMarks{}
	}
	return s, nil
}

// run returns the partition's new content, nil if it is the old one.
func (s *splice) run(ctx context.Context, o *output) (_ *part, err error) {
	defer func() {
		err = errors.Join(err, s.file.Close())
		if err != nil && s.data != nil {
			s.data.abort()
		}
		if err != nil && s.shadow != nil {
			err = errors.Join(err, s.shadow.obj.Abort())
		}
	}()
	if err := s.gather(ctx); err != nil {
		return nil, err
	}
	changes, err := s.plan(ctx)
	if err != nil || !changes {
		return nil, err
	}
	a := s.d.attempt
	total := len(s.extra)
	for _, g := range s.groups {
		total += g.rows
	}
	s.part = &part{record: state.Partition{Ordinal: s.old.Ordinal, Value: s.old.Value, Null: s.old.Null}}
	s.pub = o.assembler(a.schema, func() (batchWriter, error) { return s.open(ctx) })
	s.sha = o.assembler(a.schema, func() (batchWriter, error) {
		var err error
		s.shadow, err = a.openShadow()
		return s.shadow, err
	})
	s.pub.expect(total)
	for g := range s.groups {
		if err := s.write(ctx, g); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(s.pub.flush(ctx), s.sha.flush(ctx)); err != nil {
		return nil, err
	}
	published, hidden := s.pub.rows+s.copied, s.sha.rows
	o.release(s.pub, s.sha)
	if err := a.closePart(ctx, s.part, s.data, s.shadow, published, hidden); err != nil {
		return nil, err
	}
	if !s.hides {
		s.part.record.Shadow = s.old.Shadow
	}
	return s.part, nil
}

func (s *splice) open(ctx context.Context) (*multiWriter, error) {
	if s.data != nil {
		return s.data, nil
	}
	w, err := s.d.attempt.openData(ctx)
	s.data = w
	return w, err
}

// gather collects the rows that come to those of the file. The shadow rows are
// read only if they change.
func (s *splice) gather(ctx context.Context) error {
	value := partValue(s.old)
	s.hides = len(s.marks.shadow) > 0
	for _, v := range s.marks.data {
		s.hides = s.hides || v == rows.Shadow
	}
	for _, seg := range s.d.ing.segments {
		if ch := seg.Part(value); ch != nil {
			s.take(ch)
		}
	}
	for _, e := range s.extra {
		s.hides = s.hides || e.verdict() == rows.Shadow
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
	c := s.d.shadowCursor(s.old, s.marks)
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
		if ch.Verdict(i) != rows.Drop {
			s.extra = append(s.extra, extraRow{ch, i})
		}
	}
}

// compareRows is the order of the rows of a file.
func compareRows(a, b *rows.Row) int {
	if a.Raw != b.Raw {
		return cmp.Compare(a.Raw, b.Raw)
	}
	return cmp.Compare(a.Key, b.Key)
}

// plan decides what becomes of each row group, and reports whether anything
// changes.
func (s *splice) plan(ctx context.Context) (changes bool, err error) {
	counts := s.file.Groups()
	s.groups = make([]groupPlan, len(counts))
	marked := make([]int, 0, len(s.marks.data))
	for at := range s.marks.data {
		marked = append(marked, at)
	}
	slices.Sort(marked)
	base, at := 0, 0
	var b column.Batch
	for g := range s.groups {
		p := &s.groups[g]
		p.base, p.rows, p.lo, p.hi = base, counts[g], at, len(s.extra)
		base += p.rows
		if err := s.file.Group(ctx, g, s.d.storedColumns()[:2], &b); err != nil {
			return false, err
		}
		if g > 0 && b.N > 0 { // what is less than its first row is the group's before
			least := rows.Row{Raw: b.Cols[1].Ints[0], Key: b.Cols[0].Ints[0]}
			n, _ := slices.BinarySearchFunc(s.extra[at:], &least, func(e extraRow, r *rows.Row) int { return compareRows(e.row(), r) })
			at += n
			s.groups[g-1].hi, p.lo = at, at
		}
		k, _ := slices.BinarySearch(marked, p.base)
		p.dirty = k < len(marked) && marked[k] < base
		p.rekeyed = s.rekeys(b.Cols[1].Ints)
	}
	for g := range s.groups {
		p := &s.groups[g]
		p.dirty = p.dirty || slices.ContainsFunc(s.extra[p.lo:p.hi], func(e extraRow) bool { return e.verdict() == rows.Publish })
		changes = changes || p.dirty || p.rekeyed
	}
	return changes || s.hides, nil
}

// rekeys reports whether the canonical user of any of the raw users, of whom
// equal ones stand together, is another than before.
func (s *splice) rekeys(raws []int64) bool {
	for i, raw := range raws {
		if (i == 0 || raw != raws[i-1]) && s.d.oldMapping.Canon(raw) != s.d.newMapping.Canon(raw) {
			return true
		}
	}
	return false
}

// write hands on a row group and the extra rows behind it. Few rows that are
// waiting for a row group are joined with the next group, so that row groups do
// not get smaller and smaller.
func (s *splice) write(ctx context.Context, g int) error {
	p := &s.groups[g]
	if p.dirty || len(s.pub.picks) > 0 && len(s.pub.picks) < s.pub.group/4 {
		return s.merge(ctx, g)
	}
	for _, e := range s.extra[p.lo:p.hi] { // all of them shadows
		if err := s.sha.add(ctx, e.chunk, e.at); err != nil {
			return err
		}
	}
	if err := s.pub.flush(ctx); err != nil {
		return err
	}
	w, err := s.open(ctx)
	if err != nil {
		return err
	}
	if !w.copies() {
		return s.merge(ctx, g)
	}
	s.copied += int64(p.rows)
	replace, err := s.newUsers(ctx, g)
	if err != nil {
		return err
	}
	return w.copy(ctx, s.file, g, replace)
}

// newUsers returns the column that changes when rows are re-keyed, if it does.
func (s *splice) newUsers(ctx context.Context, g int) (map[string]*column.Column, error) {
	if !s.groups[g].rekeyed {
		return nil, nil
	}
	var b column.Batch
	if err := s.file.Group(ctx, g, []column.Column{{Name: colRawUser, Type: typeInt64}}, &b); err != nil {
		return nil, err
	}
	c := &column.Column{Name: s.d.schema.userName, Type: typeInt64, Ints: b.Cols[0].Ints}
	canonAll(c.Ints, s.d.canon)
	return map[string]*column.Column{c.Name: c}, nil
}

// canonAll turns raw users, of whom equal ones stand together, into canonical ones.
func canonAll(ids []int64, canon func(int64) int64) {
	var raw, to int64
	for i, id := range ids {
		if i == 0 || id != raw {
			raw, to = id, canon(id)
		}
		ids[i] = to
	}
}

// merge decodes a row group and merges it with the extra rows.
func (s *splice) merge(ctx context.Context, g int) error {
	p := &s.groups[g]
	b := &column.Batch{Own: true}
	if err := s.file.Group(ctx, g, s.d.storedColumns(), b); err != nil {
		return err
	}
	ch, err := s.d.storedChunk(b, partValue(s.old), s.marks.data, p.base, rows.Publish)
	if err != nil {
		return err
	}
	extra := s.extra[p.lo:p.hi]
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
	for _, e := range extra {
		if err := s.emit(ctx, e.chunk, e.at); err != nil {
			return err
		}
	}
	return nil
}

func (s *splice) emit(ctx context.Context, ch *rows.Chunk, i int) error {
	switch ch.Verdict(i) {
	case rows.Publish:
		return s.pub.add(ctx, ch, i)
	case rows.Shadow:
		return s.sha.add(ctx, ch, i)
	}
	return nil
}

// storedChunk gives the rows of a batch of stored rows their versions and
// verdicts: those of marks, by position from base on, or else otherwise.
func (d *deltaRun) storedChunk(b *column.Batch, part int64, marks map[int]rows.Verdict, base int, otherwise rows.Verdict) (*rows.Chunk, error) {
	ch := &rows.Chunk{Batch: b, Rows: make([]rows.Row, b.N), Verdicts: rows.NewVerdicts(b.N)}
	keys, raws, dumps := b.Cols[0].Ints, b.Cols[1].Ints, b.Cols[2].Ints
	for i := range b.N {
		ver, err := rows.Version(d.rank[dumps[i]], 0, 0)
		if err != nil {
			return nil, fmt.Errorf("stored row of dump %d: %w", dumps[i], err)
		}
		ch.Rows[i] = rows.Row{Part: part, Raw: raws[i], Key: keys[i], Ver: ver, At: uint32(i)}
		v, ok := marks[base+i]
		if !ok {
			v = otherwise
		}
		if v != rows.Publish {
			ch.Verdicts.Set(i, v)
		}
	}
	return ch, nil
}
