package verify

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"reconcile/engine/decode"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// userRun verifies the users table.
type userRun struct {
	*job
	files   []*sourceFile
	gone    int64 // the least dump of which something is gone
	someone bool  // something is
	// modified is the place of last_modified in the payload, -1 if there is none.
	modified int
}

// users verifies the users table.
//
// The contract: per raw user the row of the greatest (dump, last_modified with null lowest,
// file, row); then grouped by canonical user: joindate is the least, last_modified the
// greatest, every other column the value of the latest member that has one, latest by
// last_modified, null lowest, then dump, then raw user, if no merge says otherwise.
func (j *job) users(ctx context.Context) error {
	v := &userRun{job: j, modified: j.a.schema.ByID(feed.LastModified)}
	var err error
	if v.files, err = j.source.files(ctx, j.a, j.out); err != nil {
		return err
	}
	delivered, published := j.piled()
	if err := j.source.rowsOf(ctx, j.a.read, v.files, func() taker { return &userTaker{v: v, stack: stack{pile: delivered}} }); err != nil {
		return err
	}
	j.haveRead(v.files)
	for _, g := range j.out.Gone {
		if !v.someone || g.Dump < v.gone {
			v.gone, v.someone = g.Dump, true
		}
	}
	for i, pile := range published {
		if err := v.readSink(ctx, i, pile); err != nil {
			return err
		}
	}
	return j.judge(ctx, func(heap int, found *verdict) error {
		want, err := v.merged(delivered, heap, found)
		if err != nil {
			return err
		}
		for i, pile := range published {
			if err := v.compare(want, pile, heap, &found.sinks[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func heapOfUser(user int64) int { return heapOf(mix(mix(uint64(user)) + 1)) }

// member is the row of a raw user.
type member struct {
	raw, user, dump, row, modified int64
	file                           uint32
	rest                           fields   // what readValues reads
	values                         [][]byte // by place in the payload, without _rescued_data
	items                          []item
}

// item is what of a row did not come into its column.
type item struct {
	column int // in the payload
	column.Rescued
}

// userTaker takes delivered rows of users.
type userTaker struct {
	v     *userRun
	stack stack
}

func (t *userTaker) wants(_ *sourceFile, user, _ int64) bool {
	return t.v.sample.has(t.v.people.of(user))
}

func (t *userTaker) end() error { return t.stack.flush() }

func (t *userTaker) take(f *sourceFile, plan *decode.Plan, dec *decode.Decoder, rows []int64) error {
	first := t.v.a.first()
	payload := dec.Cols[first:]
	for i, row := range rows {
		raw := dec.Cols[userAt].Ints[i]
		user := t.v.people.of(raw)
		modified := int64(math.MinInt64)
		if m := t.v.modified; m >= 0 && !payload[m].IsNull(i) {
			modified = payload[m].Ints[i]
		}
		err := t.stack.add(heapOfUser(user), func(b []byte) []byte {
			for _, v := range []int64{raw, user, f.dump, row, modified} {
				b = binary.LittleEndian.AppendUint64(b, uint64(v))
			}
			b = binary.LittleEndian.AppendUint32(b, f.id)
			for c := range payload[:t.v.a.schema.Rescued()] {
				b = appendCell(b, &payload[c], i)
			}
			for _, it := range dec.Items(i) {
				if target, ok := plan.Feeds(it.Name); ok && target >= first {
					b = binary.LittleEndian.AppendUint32(b, uint32(target-first))
					b = appendField(appendField(b, []byte(it.Name)), it.Value)
				}
			}
			return b
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// appendCell appends a value of a column, or a null.
func appendCell(b []byte, c *column.Column, row int) []byte {
	if c.IsNull(row) {
		return appendField(b, nil)
	}
	at := len(b)
	b = appendValue(append(b, 0, 0, 0, 0), c, row)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// readMember reads a record up to its values.
func readMember(record []byte) member {
	f := fields(record)
	m := member{raw: f.int64(), user: f.int64(), dump: f.int64(), row: f.int64(), modified: f.int64(), file: f.uint32()}
	m.rest = f
	return m
}

func (v *userRun) readValues(m *member) {
	f := m.rest
	m.values = f.values(make([][]byte, v.a.schema.Rescued()))
	for len(f) > 0 {
		it := item{column: int(f.uint32())}
		it.Name = string(f.value())
		it.Value = f.value()
		m.items = append(m.items, it)
	}
}

// person is a row of the users table: the values of the payload, with _rescued_data.
type person struct {
	user, dump int64
	values     [][]byte
}

// merged are the rows of a heap that are to be published, by user.
func (v *userRun) merged(p *pile, heap int, found *verdict) ([]person, error) {
	records, err := p.take(heap)
	if err != nil {
		return nil, err
	}
	newest := map[int64]*member{}
	for _, rec := range records {
		m := readMember(rec)
		if v.files[m.file].lost != "" {
			continue
		}
		found.read++
		if old := newest[m.raw]; old == nil {
			first := m
			newest[m.raw] = &first
		} else if v.newer(m, *old) {
			*old = m
		}
	}
	groups := make(map[int64][]*member, len(newest))
	for _, m := range newest {
		v.readValues(m)
		groups[m.user] = append(groups[m.user], m)
	}
	out := make([]person, 0, len(groups))
	for user, members := range groups {
		out = append(out, v.merge(user, members))
	}
	slices.SortFunc(out, func(a, b person) int { return cmp.Compare(a.user, b.user) })
	found.rows = int64(len(out))
	return out, nil
}

func (v *userRun) newer(a, b member) bool {
	return cmp.Or(cmp.Compare(a.dump, b.dump), cmp.Compare(a.modified, b.modified), cmp.Compare(v.files[a.file].index, v.files[b.file].index), cmp.Compare(a.row, b.row)) > 0
}

// merge makes one row of the rows of all raw users that are one.
func (v *userRun) merge(user int64, members []*member) person {
	slices.SortFunc(members, func(a, b *member) int { // the latest first
		return cmp.Or(cmp.Compare(b.modified, a.modified), cmp.Compare(b.dump, a.dump), cmp.Compare(b.raw, a.raw))
	})
	s := v.a.schema
	out := person{user: user, dump: math.MinInt64, values: make([][]byte, 0, s.Rescued()+1)}
	for _, m := range members {
		out.dump = max(out.dump, m.dump)
	}
	from := make([]*member, s.Rescued())
	for c := range from {
		from[c] = supplier(&s.Payload[c], c, members)
		out.values = append(out.values, from[c].values[c])
	}
	var rescued []column.Rescued
	for _, m := range members {
		for _, it := range m.items {
			if from[it.column] == m {
				rescued = append(rescued, it.Rescued)
			}
		}
	}
	out.values = append(out.values, nil)
	if len(rescued) > 0 {
		out.values[s.Rescued()] = column.AppendRescue(nil, rescued)
	}
	return out
}

// supplier is the member whose value of a column counts: of those that have one the first,
// the least or the greatest; else the first that failed to have one, or the first.
func supplier(c *rules.Column, at int, members []*member) *member {
	how := c.Merge
	switch {
	case how != "":
	case c.ID == feed.JoinDate:
		how = "min"
	case c.ID == feed.LastModified:
		how = "max"
	}
	var best *member
	for _, m := range members {
		switch {
		case m.values[at] == nil:
		case best == nil:
			best = m
		case how == "min" && compareValues(c.Type, m.values[at], best.values[at]) < 0, how == "max" && compareValues(c.Type, m.values[at], best.values[at]) > 0:
			best = m
		}
	}
	if best != nil {
		return best
	}
	for _, m := range members {
		if slices.ContainsFunc(m.items, func(i item) bool { return i.column == at }) {
			return m
		}
	}
	return members[0]
}

// compareValues orders two values by their type.
func compareValues(t column.Type, a, b []byte) int {
	one := func(v []byte) *column.Column {
		c := &column.Column{Type: t}
		c.Reset()
		setValue(c, v)
		return c
	}
	return column.CompareValues(one(a), 0, one(b), 0)
}

// The places of the columns of a data file of users that tell the row.
const (
	personAt     = 0
	personDump   = 1
	personValues = 2
)

// readSink collects the rows of a sink.
func (v *userRun) readSink(ctx context.Context, at int, p *pile) error {
	out := v.out.Sinks[at]
	sk, files, err := filesIn(ctx, v.lake, v.a, at, out)
	if err != nil {
		return err
	}
	return v.published(ctx, sk, files, v.rows(personDump), v.source.workers, out, func() chooser {
		return &userChooser{v: v, out: out, stack: stack{pile: p}}
	})
}

// userChooser takes published rows of users.
type userChooser struct {
	v     *userRun
	out   *Sink
	stack stack
	file  *dataFile
}

func (c *userChooser) begin(f *dataFile) { c.file = f }

func (c *userChooser) choose(b *column.Batch) (rows []uint32, err error) {
	users := &b.Cols[personAt]
	for i := range b.N {
		switch {
		case users.IsNull(i) && c.v.sample.first():
			c.out.add(Difference{Kind: Extra, Columns: []Value{{Column: "user_id is null, in " + c.file.Path}}})
		case !users.IsNull(i) && c.v.sample.has(users.Ints[i]):
			rows = append(rows, uint32(i))
		}
	}
	return rows, nil
}

func (c *userChooser) take(b *column.Batch, _ int, _ []uint32) error {
	c.out.count(b.N)
	for i := range b.N {
		user := b.Cols[personAt].Ints[i]
		err := c.stack.add(heapOfUser(user), func(buf []byte) []byte {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(user))
			buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Cols[personDump].Ints[i]))
			for col := range c.v.a.columns {
				buf = appendCell(buf, &b.Cols[personValues+col], i)
			}
			return buf
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *userChooser) end() error { return c.stack.flush() }

// compare compares the rows of a heap that are to be in a sink with those that are.
func (v *userRun) compare(want []person, p *pile, heap int, out *found) error {
	records, err := p.take(heap)
	if err != nil {
		return err
	}
	have := make(map[int64]fields, len(records))
	for _, rec := range records {
		f := fields(rec)
		user := f.int64()
		if _, twice := have[user]; twice {
			dump := f.int64()
			out.add(Difference{Kind: Doubled, User: user, Dump: &dump})
			continue
		}
		have[user] = f
	}
	values := make([][]byte, len(v.a.columns)) // of one row after the other
	for i := range want {
		w := &want[i]
		f, ok := have[w.user]
		delete(have, w.user)
		if !ok {
			out.add(Difference{Kind: Missing, User: w.user, Dump: &w.dump})
			continue
		}
		h := person{user: w.user, dump: f.int64(), values: f.values(values)}
		if columns := v.differ(w, &h); len(columns) > 0 {
			if v.someone && h.dump >= v.gone {
				out.unchecked++
			} else {
				out.add(Difference{Kind: Different, User: w.user, Dump: &w.dump, Columns: columns})
			}
		}
	}
	for _, user := range slices.Sorted(maps.Keys(have)) {
		f := have[user]
		if dump := f.int64(); v.someone && dump >= v.gone {
			out.unchecked++
		} else {
			out.add(Difference{Kind: Extra, User: user, Dump: &dump})
		}
	}
	return nil
}

// differ names the columns in which a row is not as it should be.
func (v *userRun) differ(want, have *person) []Value {
	var out []Value
	if want.dump != have.dump {
		x, y := fmt.Sprint(want.dump), fmt.Sprint(have.dump)
		out = append(out, Value{feed.DumpID, &x, &y})
	}
	for c, i := range v.a.columns {
		if p := &v.a.schema.Payload[i]; !same(want.values[i], have.values[c]) {
			text := func(b []byte) *string {
				col := &column.Column{Type: p.Type}
				col.Reset()
				setValue(col, b)
				return shown(col, 0)
			}
			out = append(out, Value{p.Name, text(want.values[i]), text(have.values[c])})
		}
	}
	return out
}
