package verify

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/sinks"
)

// event is what tells a row of events: which it is, where it is, and a hash of its values
// and of the folder of its partition.
type event struct {
	key, user, raw int64
	dump           int64
	sum            uint64
	// file and row are its place: in the part files, or in the data files, where row is that
	// in the row group.
	file  uint32
	group uint32
	row   int64
	// as is user_id as it is published, of a row of a data file.
	as int64
}

func (e *event) append(b []byte) []byte {
	for _, v := range []uint64{uint64(e.key), uint64(e.user), uint64(e.raw), uint64(e.dump), e.sum, uint64(e.row), uint64(e.as)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, e.file)
	return binary.LittleEndian.AppendUint32(b, e.group)
}

func readEvent(record []byte) event {
	f := fields(record)
	e := event{key: f.int64(), user: f.int64(), raw: f.int64(), dump: f.int64(), sum: f.uint64(), row: f.int64(), as: f.int64()}
	e.file, e.group = f.uint32(), f.uint32()
	return e
}

func (e *event) heap() int { return heapOf(mix(uint64(e.key) ^ mix(uint64(e.user)))) }

// eventRun verifies one table of events.
type eventRun struct {
	*job
	seed    maphash.Seed
	files   []*sourceFile
	data    [][]*dataFile // by sink
	partial map[int64]bool
}

// events verifies a table of events.
//
// The contract: per (key, raw user) the row of the greatest (dump, file, row); then per
// (key, canonical user) of these the row of the greatest (dump, raw user).
func (j *job) events(ctx context.Context) error {
	v := &eventRun{job: j, seed: maphash.MakeSeed(), partial: map[int64]bool{}}
	var err error
	if v.files, err = j.source.files(ctx, j.a, j.out); err != nil {
		return err
	}
	delivered, published := j.piled()
	if err := j.source.rowsOf(ctx, j.a.read, v.files, func() taker { return v.newTaker(delivered) }); err != nil {
		return err
	}
	j.haveRead(v.files)
	for _, g := range j.out.Gone {
		v.partial[g.Dump] = true
	}
	for i, pile := range published {
		if err := v.readSink(ctx, i, pile); err != nil {
			return err
		}
	}
	return j.judge(ctx, func(heap int, found *verdict) error {
		want, err := v.winners(delivered, heap, found)
		if err != nil {
			return err
		}
		for i, pile := range published {
			if err := v.compare(ctx, want, pile, heap, i, &found.sinks[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// eventTaker takes delivered rows of events.
type eventTaker struct {
	v       *eventRun
	stack   stack
	hash    hasher
	sums    []uint64
	folders map[int64]uint64 // hashes, by partition
}

func (v *eventRun) newTaker(p *pile) *eventTaker {
	return &eventTaker{v: v, stack: stack{pile: p}, hash: hasher{seed: v.seed}, folders: map[int64]uint64{}}
}

func (t *eventTaker) wants(_ *sourceFile, user, _ int64) bool {
	return t.v.sample.has(t.v.people.of(user))
}

func (t *eventTaker) take(f *sourceFile, _ *decode.Plan, dec *decode.Decoder, rows []int64) error {
	payload := dec.Cols[t.v.a.first():]
	t.sums = append(t.sums[:0], make([]uint64, len(rows))...)
	for _, i := range t.v.a.columns {
		t.hash.column(&payload[i], t.sums)
	}
	users, keys := dec.Cols[userAt].Ints, &dec.Cols[keyAt]
	for i, row := range rows {
		if keys.IsNull(i) {
			continue // it is quarantined
		}
		e := event{key: keys.Ints[i], raw: users[i], user: t.v.people.of(users[i]), dump: f.dump, file: f.id, row: row}
		e.sum = next(t.sums[i], t.folder(t.v.a.schema.PartitionAt(payload, i)))
		if err := t.stack.add(e.heap(), e.append); err != nil {
			return err
		}
	}
	return nil
}

// folder is the hash of the folder of a partition.
func (t *eventTaker) folder(part int64) uint64 {
	sum, ok := t.folders[part]
	if !ok {
		sum = t.hash.bytes([]byte(folderOf(t.v.a.schema, part)))
		t.folders[part] = sum
	}
	return sum
}

// folderOf is the folder of a partition below that of its table.
func folderOf(s *rules.Schema, part int64) string {
	if s.Partition.Unit == definition.UnitNone {
		return ""
	}
	return rules.PartitionFolder(s.Partition.Unit, part)
}

func (t *eventTaker) end() error { return t.stack.flush() }

// winners are the rows of a heap that are to be published, by key and user.
func (v *eventRun) winners(p *pile, heap int, found *verdict) ([]event, error) {
	records, err := p.take(heap)
	if err != nil {
		return nil, err
	}
	events := make([]event, 0, len(records))
	for _, rec := range records {
		if e := readEvent(rec); v.files[e.file].lost == "" {
			events = append(events, e)
		}
	}
	found.read = int64(len(events))
	slices.SortFunc(events, func(a, b event) int { // the newest of a raw user first
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.raw, b.raw), v.compareVersions(&b, &a))
	})
	events = slices.CompactFunc(events, func(a, b event) bool { return a.key == b.key && a.raw == b.raw })
	slices.SortFunc(events, func(a, b event) int { // that which counts of a user first
		return cmp.Or(byKey(a, b), cmp.Compare(b.dump, a.dump), cmp.Compare(b.raw, a.raw))
	})
	events = slices.CompactFunc(events, func(a, b event) bool { return byKey(a, b) == 0 })
	found.rows = int64(len(events))
	return events, nil
}

func byKey(a, b event) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.user, b.user))
}

// compareVersions orders rows by dump, place of the file in the manifest, row.
func (v *eventRun) compareVersions(a, b *event) int {
	return cmp.Or(cmp.Compare(a.dump, b.dump), cmp.Compare(v.files[a.file].index, v.files[b.file].index), cmp.Compare(a.row, b.row))
}

// The places of the columns of a data file that tell a row of events; those that are
// compared follow.
const (
	asUser = iota
	asKey
	asRaw
	asDump
	asFirst
)

// readSink collects the rows of a sink.
func (v *eventRun) readSink(ctx context.Context, at int, p *pile) error {
	out := v.out.Sinks[at]
	sk, files, err := filesIn(ctx, v.lake, v.a, at, out)
	if err != nil {
		return err
	}
	v.data = append(v.data, files)
	return v.published(ctx, sk, files, v.rows(asDump), v.source.workers, out, func() chooser {
		return &eventChooser{v: v, out: out, stack: stack{pile: p}, hash: hasher{seed: v.seed}}
	})
}

// eventChooser takes published rows of events.
type eventChooser struct {
	v      *eventRun
	out    *Sink
	stack  stack
	hash   hasher
	sums   []uint64
	file   *dataFile
	folder uint64 // hash
}

func (c *eventChooser) begin(f *dataFile) {
	c.file, c.folder = f, c.hash.bytes([]byte(f.folder))
}

func (c *eventChooser) choose(b *column.Batch) (rows []uint32, err error) {
	for i := range b.N {
		if b.Cols[asUser].IsNull(i) || b.Cols[asKey].IsNull(i) || b.Cols[asRaw].IsNull(i) {
			if c.v.sample.first() {
				c.out.add(Difference{Kind: Extra, User: b.Cols[asUser].Ints[i], Columns: []Value{{Column: "a column that tells the row is null, in " + c.file.Path}}})
			}
			continue
		}
		if c.v.sample.has(c.v.people.of(b.Cols[asRaw].Ints[i])) {
			rows = append(rows, uint32(i))
		}
	}
	return rows, nil
}

func (c *eventChooser) take(b *column.Batch, group int, rows []uint32) error {
	c.out.count(b.N)
	c.sums = append(c.sums[:0], make([]uint64, b.N)...)
	for i := range c.v.a.columns {
		c.hash.column(&b.Cols[asFirst+i], c.sums)
	}
	for i := range b.N {
		raw := b.Cols[asRaw].Ints[i]
		e := event{key: b.Cols[asKey].Ints[i], raw: raw, user: c.v.people.of(raw), as: b.Cols[asUser].Ints[i], dump: b.Cols[asDump].Ints[i],
			sum: next(c.sums[i], c.folder), file: c.file.id, group: uint32(group), row: int64(rows[i])}
		if err := c.stack.add(e.heap(), e.append); err != nil {
			return err
		}
	}
	return nil
}

func (c *eventChooser) end() error { return c.stack.flush() }

// compare compares the rows of a heap that are to be in a sink with those that are.
func (v *eventRun) compare(ctx context.Context, want []event, p *pile, heap, at int, out *found) error {
	records, err := p.take(heap)
	if err != nil {
		return err
	}
	have := make([]event, len(records))
	for i, rec := range records {
		have[i] = readEvent(rec)
	}
	slices.SortFunc(have, byKey)
	for len(want)+len(have) > 0 {
		var c int
		switch {
		case len(have) == 0:
			c = -1
		case len(want) == 0:
			c = 1
		default:
			c = byKey(want[0], have[0])
		}
		switch {
		case c < 0:
			out.add(want[0].difference(Missing))
			want = want[1:]
			continue
		case c > 0 && v.partial[have[0].dump]:
			out.unchecked++
		case c > 0:
			out.add(have[0].difference(Extra))
		default:
			v.one(ctx, want[0], have[0], at, out)
		}
		n := 1
		for n < len(have) && byKey(have[0], have[n]) == 0 {
			n++
		}
		if n > 1 && c == 0 {
			out.add(have[0].difference(Doubled))
		}
		have = have[n:]
		if c == 0 {
			want = want[1:]
		}
	}
	return nil
}

// one compares a row with that which is published.
func (v *eventRun) one(ctx context.Context, want, have event, at int, out *found) {
	same := want.sum == have.sum && want.raw == have.raw && want.dump == have.dump
	switch {
	case same && have.as == want.user:
	case !same && v.partial[have.dump]:
		out.unchecked++
	default:
		out.addUnexplained(want.difference(Different), func() ([]Value, error) { return v.explain(ctx, &want, &have, at) })
	}
}

func (e *event) difference(kind string) Difference {
	return Difference{Kind: kind, Key: &e.key, User: e.user, RawUser: &e.raw, Dump: &e.dump}
}

// explain names the columns in which a row differs.
func (v *eventRun) explain(ctx context.Context, want, have *event, at int) ([]Value, error) {
	var out []Value
	number := func(name string, a, b int64) {
		if a != b {
			x, y := fmt.Sprint(a), fmt.Sprint(b)
			out = append(out, Value{name, &x, &y})
		}
	}
	number(feed.UserID, want.user, have.as)
	number(feed.RawUserID, want.raw, have.raw)
	number(feed.DumpID, want.dump, have.dump)
	right, folder, err := v.deliveredRow(ctx, want)
	if err != nil {
		return nil, err
	}
	f := v.data[at][have.file]
	sk, err := v.lake.Open(ctx, v.a.record.Sinks[at].Root)
	if err != nil {
		return nil, err
	}
	r := v.rows(asDump)
	return out, r.read(ctx, sk, share{f, sinks.WholeFile()}, oneRow(have), func(b *column.Batch, group int, _ []uint32) error {
		if uint32(group) != have.group {
			return nil
		}
		for c, i := range v.a.columns {
			x, y := shown(&right[i], 0), shown(&b.Cols[asFirst+c], 0)
			if !sameText(x, y) {
				out = append(out, Value{v.a.schema.Payload[i].Name, x, y})
			}
		}
		if folder != f.folder {
			out = append(out, Value{"the folder of its partition", &folder, &f.folder})
		}
		return nil
	})
}

// oneRow chooses a row of a data file.
func oneRow(e *event) func(*column.Batch) ([]uint32, error) {
	group := -1
	return func(*column.Batch) ([]uint32, error) {
		if group++; uint32(group) != e.group {
			return nil, nil
		}
		return []uint32{uint32(e.row)}, nil
	}
}

func sameText(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// rowTaker takes one row of a file.
type rowTaker struct {
	row int64
	use func(dec *decode.Decoder)
}

func (t *rowTaker) wants(_ *sourceFile, _, row int64) bool { return row == t.row }
func (t *rowTaker) end() error                             { return nil }
func (t *rowTaker) take(_ *sourceFile, _ *decode.Plan, dec *decode.Decoder, _ []int64) error {
	t.use(dec)
	return nil
}

// deliveredRow reads a row again: its payload, and the folder that it belongs to.
func (v *eventRun) deliveredRow(ctx context.Context, e *event) (payload []column.Column, folder string, err error) {
	quiet := *v.source // it was read before
	quiet.tell = func(rows, bytes int64) {}
	w := quiet.newReader(v.a.read)
	w.taker = &rowTaker{row: e.row, use: func(dec *decode.Decoder) {
		payload = dec.Cols[v.a.first():]
		folder = folderOf(v.a.schema, v.a.schema.PartitionAt(payload, 0))
	}}
	f := *v.files[e.file]
	err = w.file(ctx, &f)
	if err == nil && payload == nil {
		err = fmt.Errorf("%s changed while it was read", f.key)
	}
	return payload, folder, err
}
