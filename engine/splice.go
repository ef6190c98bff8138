package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/state"
)

// splice gives a partition that has files its new content. A row group that
// neither gains nor loses rows is copied as bytes, with a new user_id where its
// rows were re-keyed and new dumps where an echo has them; only the others are
// decoded and encoded. A file of which no row group changes stays. Rows that come
// to a large partition get a file of their own: its others are then only written
// if they lose rows or some of their columns change.
type splice struct {
	d      *deltaRun
	old    *state.Partition
	files  []*spliceFile
	marks  *storedMarks
	groups []groupPlan // of all files, one after the other
	extra  []extraRow  // sorted by (raw user, key)
	apart  bool        // extra rows get a file of their own
	hides  bool        // the shadow rows change
	// shadows are the shadow rows, read because they change.
	shadows []*rows.Chunk
	// echoed are the shadow rows as those of an echo where nothing else changes
	// in them; nil if they stay as they are.
	echoed *state.Sealed

	part   *part
	data   *partWriter
	shadow *shadowWriter
	pub    *assembler
	sha    *assembler
	copied int64 // rows
	kept   int64 // rows of files that stay
}

// spliceFile is one file of the partition.
type spliceFile struct {
	entries []state.File // of it, in each sink
	number  int          // that its name has
	rd      sinks.GroupReader
	lo, hi  int // its row groups
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
	file       *spliceFile
	at         int // its number in the file
	base, rows int // its first row in the partition, their number
	lo, hi     int // the extra rows that fall between it and the next
	dirty      bool
	rekeyed    bool
	echoed     bool
}

// maxAppended is how many files may be added to a partition before all of it is
// written as one again.
const maxAppended = 8

// newSplice returns nil for a partition that must be written as a whole.
func (d *deltaRun) newSplice(ctx context.Context, p *state.Partition) (*splice, error) {
	files := d.filesOf(p)
	if len(files) == 0 {
		return nil, nil
	}
	s := &splice{d: d, old: p, files: files, marks: d.stored[p.Ordinal]}
	if s.marks == nil {
		s.marks = &storedMarks{}
	}
	fits, err := s.openFiles(ctx)
	if err == nil && fits {
		err = s.gather(ctx)
	}
	if err != nil || !fits || s.folds() {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// filesOf lists the files of a partition, none if sinks differ in them.
func (d *deltaRun) filesOf(p *state.Partition) []*spliceFile {
	if p == nil {
		return nil
	}
	var out []*spliceFile
	for _, f := range p.Files {
		number := fileNumber(f.Path)
		i := slices.IndexFunc(out, func(x *spliceFile) bool { return x.number == number })
		if i < 0 {
			i = len(out)
			out = append(out, &spliceFile{number: number})
		}
		out[i].entries = append(out[i].entries, f)
	}
	if slices.ContainsFunc(out, func(x *spliceFile) bool { return x.number < 0 || len(x.entries) != len(d.oldSinks) }) {
		return nil
	}
	return out
}

// openFiles opens the files in the sink that is read, and reports whether their row
// groups can be read one by one.
func (s *splice) openFiles(ctx context.Context) (bool, error) {
	for _, f := range s.files {
		i := slices.IndexFunc(f.entries, func(e state.File) bool { return e.Sink == s.d.readFrom })
		rd, err := s.d.openData(ctx, f.entries[i], s.d.storedColumns())
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
	var errs []error
	for _, f := range s.files {
		if f.rd != nil {
			errs = append(errs, f.rd.Close())
		}
	}
	return errors.Join(errs...)
}

// folds decides whether the rows that come get a file of their own, and reports
// whether there would be so many of these, or of rows in them, that the partition
// is to be written as a whole.
func (s *splice) folds() bool {
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
		if e.verdict() == rows.Publish {
			added, come = added+1, true
		}
	}
	s.apart = len(s.files) > 1 || size >= s.d.env.lim.appendAt
	return s.apart && come && (appended >= maxAppended || added > base)
}

// run returns the partition's new content, nil if it is the old one.
func (s *splice) run(ctx context.Context, o *output) (_ *part, err error) {
	a := s.d.attempt
	s.part = &part{record: state.Partition{Ordinal: s.old.Ordinal, Value: s.old.Value, Null: s.old.Null}}
	s.data = a.partWriter(s.part, math.MaxInt64)
	defer func() {
		err = errors.Join(err, s.close())
		if err != nil {
			s.data.abort()
		}
		if err != nil && s.shadow != nil {
			err = errors.Join(err, s.shadow.obj.Abort())
		}
	}()
	if err := s.echoShadow(ctx); err != nil {
		return nil, err
	}
	changes, err := s.plan(ctx)
	if err != nil || !changes {
		return nil, err
	}
	s.pub = o.assembler(a.schema, func() (batchWriter, error) { return s.data, nil })
	s.sha = o.assembler(a.schema, func() (batchWriter, error) {
		var err error
		s.shadow, err = a.openShadow()
		return s.shadow, err
	})
	s.pub.expect(s.expected())
	for _, f := range s.files {
		if err := s.writeFile(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := s.appendExtra(ctx); err != nil {
		return nil, err
	}
	published, hidden := s.pub.rows+s.copied+s.kept, s.sha.rows
	s.part.record.Newest = o.newest(max(s.pub.newest, s.sha.newest, s.newestKept()))
	o.release(s.pub, s.sha)
	if err := a.closePart(ctx, s.part, s.data, s.shadow, published, hidden); err != nil {
		return nil, err
	}
	s.keepShadow()
	return s.part, nil
}

// echoShadow moves the shadow rows of an echo. Those that are merged anyway are only
// counted, which had to wait until it was certain that the partition is spliced.
func (s *splice) echoShadow(ctx context.Context) (err error) {
	if s.d.echo == nil {
		return nil
	}
	for _, ch := range s.shadows {
		s.d.echo.countRows(ch.Batch)
	}
	if !s.hides {
		s.echoed, err = s.d.moveObject(ctx, s.old.Shadow, s.d.schema.published(), dumpOfRows)
	}
	return err
}

// keepShadow gives the new content the shadow rows that were not merged.
func (s *splice) keepShadow() {
	switch {
	case s.hides:
	case s.echoed != nil:
		s.part.objects = append(s.part.objects, s.echoed)
		s.part.record.Shadow = s.echoed.Ref
	default:
		s.part.record.Shadow = s.old.Shadow
	}
}

// newestKept is the rank of a dump that is not less than those of the rows that
// are not written anew.
func (s *splice) newestKept() int {
	last := len(s.d.ids) - 1
	switch {
	case s.copied+s.kept == 0 && (s.hides || s.old.Shadow.IsZero()):
		return -1
	case s.old.Newest == nil:
		return last
	}
	rank, ok := s.d.rank[*s.old.Newest]
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

// writeFile writes a file anew, or keeps it if it need not be.
func (s *splice) writeFile(ctx context.Context, f *spliceFile) error {
	changes := func(g groupPlan) bool { return g.dirty || g.rekeyed || g.echoed }
	if s.apart && !slices.ContainsFunc(s.groups[f.lo:f.hi], changes) {
		s.part.keep(f.entries)
		s.kept += f.entries[0].Rows
		return nil
	}
	s.data.next, s.data.appended = f.number, f.entries[0].Appended
	for g := f.lo; g < f.hi; g++ {
		if err := s.write(ctx, g); err != nil {
			return err
		}
	}
	if err := s.pub.flush(ctx); err != nil {
		return err
	}
	return s.data.end()
}

// appendExtra writes the rows that get a file of their own.
func (s *splice) appendExtra(ctx context.Context) error {
	if s.apart {
		s.data.next, s.data.appended = 0, true
		for _, f := range s.files {
			s.data.next = max(s.data.next, f.number+1)
		}
		for _, e := range s.extra {
			if err := s.emit(ctx, e.chunk, e.at); err != nil {
				return err
			}
		}
	}
	return errors.Join(s.pub.flush(ctx), s.sha.flush(ctx))
}

// place gives the next row group the extra rows from at on that fall between it
// and the one behind it; what is less than its first row is the group's before. It
// returns where the group's rows begin.
func (s *splice) place(p *groupPlan, least *rows.Row, at int) int {
	if len(s.groups) > 0 && least != nil {
		n, _ := slices.BinarySearchFunc(s.extra[at:], least, func(e extraRow, r *rows.Row) int { return compareRows(e.row(), r) })
		at += n
		s.groups[len(s.groups)-1].hi = at
	}
	p.lo, p.hi = at, len(s.extra)
	return at
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
	c.uncounted = true
	defer func() { err = errors.Join(err, c.Close()) }()
	for {
		ch, err := c.Next(ctx)
		if err != nil || ch == nil {
			return err
		}
		s.take(ch)
		s.shadows = append(s.shadows, ch)
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
	marked := make([]int, 0, len(s.marks.data))
	for at := range s.marks.data {
		marked = append(marked, at)
	}
	slices.Sort(marked)
	base, at := 0, 0
	var b column.Batch
	for _, f := range s.files {
		f.lo = len(s.groups)
		for i, n := range f.rd.Groups() {
			p := groupPlan{file: f, at: i, base: base, rows: n}
			base += n
			least, err := s.look(ctx, &p, &b)
			if err != nil {
				return false, err
			}
			if !s.apart {
				at = s.place(&p, least, at)
			}
			k, _ := slices.BinarySearch(marked, p.base)
			p.dirty = k < len(marked) && marked[k] < base
			s.groups = append(s.groups, p)
		}
		f.hi = len(s.groups)
	}
	changes = s.apart && slices.ContainsFunc(s.extra, func(e extraRow) bool { return e.verdict() == rows.Publish })
	for g := range s.groups {
		p := &s.groups[g]
		p.dirty = p.dirty || slices.ContainsFunc(s.extra[p.lo:p.hi], func(e extraRow) bool { return e.verdict() == rows.Publish })
		changes = changes || p.dirty || p.rekeyed || p.echoed
	}
	return changes || s.hides || s.echoed != nil, nil
}

// look finds out which columns of a row group change, and reads its first row if
// there are extra rows to be placed around it. b is memory for that.
func (s *splice) look(ctx context.Context, p *groupPlan, b *column.Batch) (least *rows.Row, err error) {
	if p.echoed, err = s.d.echo.holds(ctx, p.file.rd, p.at, dumpOfRows); err != nil {
		return nil, err
	}
	places := len(s.extra) > 0 && !s.apart
	if !places && len(s.d.changed) == 0 {
		return nil, nil
	}
	want := s.d.storedColumns()[:2]
	if !places {
		want = want[1:]
	}
	if err := p.file.rd.Group(ctx, p.at, want, b); err != nil {
		return nil, err
	}
	raws := b.Col(colRawUser).Ints
	p.rekeyed = len(s.d.changed) > 0 && s.rekeys(raws)
	if !places || b.N == 0 {
		return nil, nil
	}
	return &rows.Row{Raw: raws[0], Key: b.Cols[0].Ints[0]}, nil
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
	if err := s.data.open(ctx); err != nil {
		return err
	}
	if !s.data.data.copies() {
		return s.merge(ctx, g)
	}
	s.copied += int64(p.rows)
	var users, dumps *column.Column
	var err error
	if p.rekeyed {
		users, err = s.newUsers(ctx, p)
	}
	if err == nil && p.echoed {
		dumps, err = s.d.echo.move(ctx, p.file.rd, p.at, dumpOfRows)
	}
	if err != nil {
		return err
	}
	return s.data.data.copy(ctx, p.file.rd, p.at, replacing(users, dumps))
}

// newUsers returns the column of canonical users of a row group.
func (s *splice) newUsers(ctx context.Context, p *groupPlan) (*column.Column, error) {
	var b column.Batch
	if err := p.file.rd.Group(ctx, p.at, []column.Column{{Name: colRawUser, Type: typeInt64}}, &b); err != nil {
		return nil, err
	}
	c := &column.Column{Name: s.d.schema.userName, Type: typeInt64, Ints: b.Cols[0].Ints}
	canonAll(c.Ints, s.d.canon)
	return c, nil
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
	if err := p.file.rd.Group(ctx, p.at, s.d.storedColumns(), b); err != nil {
		return err
	}
	s.d.echo.countRows(b)
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
