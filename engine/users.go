package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"reconcile/config"
	"reconcile/engine/merge"
	"reconcile/engine/rows"
	"reconcile/internal/column"
	"reconcile/sinks"
	"reconcile/state"
)

// The latest row of every raw user is kept beside the state as delivered (after
// masks), un-cast: which member of a group supplies a value depends on what
// casts, and that on the configuration. Its columns carry a prefix, so that no
// delivered name meets ours.
const (
	storedPrefix = "c:"
	storedUser   = "user"
	storedDump   = "dump"
	storedNotes  = "notes" // spellings and losers of spelling, as a rescue object
)

// uncast returns the schema under which users are read and kept.
func (s *schema) uncast() *schema {
	u := *s
	u.payload = make([]payload, len(s.payload))
	for i, p := range s.payload {
		p.cast, p.typ = p.typ, typeString
		p.Name = storedPrefix + p.fold
		u.payload[i] = p
	}
	u.payload[len(u.payload)-1].Name = storedNotes
	u.part, u.partCol = config.Partition{}, -1
	return &u
}

// storedColumns returns the columns of the users object.
func (s *schema) storedColumns() []column.Column {
	out := []column.Column{{Name: storedUser, Type: typeInt64}, {Name: storedDump, Type: typeInt64}}
	for _, p := range s.payload {
		out = append(out, column.Column{Name: p.Name})
	}
	return out
}

// users brings the users table to its new state: the latest row per raw user,
// then one row per canonical user. Its cost is that of the whole table.
func (r *tableRun) users(ctx context.Context) (_ *change, err error) {
	stored := r.schema.uncast()
	r.attempt.parallel = r.env.lim.workers
	ing := newIngest(stored, r.env.lim)
	ing.lim.memory /= 2
	ing.failCasts = r.failCasts
	ing.progress = func(rows, bytes int64) { r.env.progress(r.cfg.Name, rows, bytes) }
	groups := newIngest(stored, r.env.lim)
	groups.lim.memory /= 2
	defer func() { err = errors.Join(err, ing.close(), groups.close()) }()
	if err := ing.avroFiles(ctx, r.env.source, r.files()); err != nil {
		return nil, err
	}
	latest, err := r.latestUsers(ctx, stored, ing, groups)
	if err != nil {
		return nil, err
	}
	p, err := r.writeUsers(ctx, groups)
	if err != nil {
		return nil, err
	}
	c := r.newChange(ing)
	c.all = true
	if len(p.record.Files) > 0 {
		c.parts = []*part{p}
	}
	c.table.Users = latest.Ref
	c.objects = append(c.objects, latest)
	if err := r.finish(ctx, c, ing); err != nil {
		return nil, err
	}
	c.countNet(r)
	return c, nil
}

// latestUsers merges the kept rows with the delivered ones, writes the result
// as the new kept rows and hands it on to be grouped.
func (r *tableRun) latestUsers(ctx context.Context, s *schema, ing, groups *ingest) (*state.Sealed, error) {
	cursors, err := r.keptUsers(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, seg := range ing.segments {
		if c := seg.Open(0); c != nil {
			cursors = append(cursors, c)
		}
	}
	w, err := openObject(r.attempt.store, s.storedColumns(), r.attempt.parallel)
	if err != nil {
		return nil, err
	}
	k := &userKeeper{r: r, s: s, w: w, groups: groups}
	k.plans = plans{schema: s, shapes: ing.shapes}
	err = merge.Partition(ctx, cursors, func(ch *rows.Chunk, i int) error { return k.add(ctx, ch, i) })
	if err = errors.Join(err, k.end(ctx)); err != nil {
		return nil, errors.Join(err, w.obj.Abort())
	}
	obj, err := w.close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = k.n
	ing.rescued += k.rescued
	return obj, nil
}

// userKeeper picks the latest row of each raw user from rows sorted by raw user.
type userKeeper struct {
	picker
	r      *tableRun
	s      *schema
	w      *shadowWriter
	groups *ingest
	best   rows.Row
	chunk  *rows.Chunk // that best is row at of
	at     int
	g      column.Gatherer
	n      int64
}

func (k *userKeeper) add(ctx context.Context, ch *rows.Chunk, i int) error {
	row := ch.Rows[i]
	if k.chunk != nil && k.best.Raw != row.Raw {
		if err := k.take(ctx); err != nil {
			return err
		}
	}
	if k.chunk == nil || laterUser(row, k.best) {
		k.best, k.chunk, k.at = row, ch, i
	}
	return nil
}

// laterUser compares by (dump, last_modified with null lowest, version). Key
// holds last_modified.
func laterUser(a, b rows.Row) bool {
	if da, db := rows.DumpRank(a.Ver), rows.DumpRank(b.Ver); da != db {
		return da > db
	}
	if a.Key != b.Key {
		return a.Key > b.Key
	}
	return a.Ver > b.Ver
}

func (k *userKeeper) take(ctx context.Context) error {
	k.picker.add(k.chunk, k.at)
	k.chunk = nil
	if len(k.picks) < k.r.env.lim.groupRows && k.bytes < k.r.env.lim.groupBytes() {
		return nil
	}
	return k.flush(ctx)
}

func (k *userKeeper) end(ctx context.Context) error {
	if k.chunk != nil {
		if err := k.take(ctx); err != nil {
			return err
		}
	}
	return k.flush(ctx)
}

// flush writes the picked rows to the kept object and to the grouping.
func (k *userKeeper) flush(ctx context.Context) error {
	if len(k.picks) == 0 {
		return nil
	}
	if err := k.settle(); err != nil {
		return err
	}
	out := &column.Batch{N: len(k.picks), Cols: k.s.storedColumns()}
	for _, m := range k.meta {
		out.Cols[0].Ints = append(out.Cols[0].Ints, m.Raw)
		out.Cols[1].Ints = append(out.Cols[1].Ints, k.r.ids[rows.DumpRank(m.Ver)])
	}
	if k.straight() != nil {
		copy(out.Cols[2:], k.takeStraight())
	} else {
		into := k.own()
		for i, p := range k.s.payload {
			k.g.ColumnInto(&out.Cols[2+i], k.columns(p.Name), k.picks, into)
		}
	}
	if err := k.w.Write(ctx, out); err != nil {
		return err
	}
	if err := k.regroup(ctx, out); err != nil {
		return err
	}
	k.n += int64(len(k.picks))
	k.reset()
	return nil
}

// regroup hands the rows of out on, to be sorted by canonical user. out is given
// away.
func (k *userKeeper) regroup(ctx context.Context, out *column.Batch) error {
	rs := make([]rows.Row, out.N)
	for i, m := range k.meta {
		rs[i] = rows.Row{Raw: k.r.canon(m.Raw), Key: m.Raw, Ver: m.Ver, At: uint32(i)}
	}
	return k.groups.keep(ctx, rows.NewSegment(rs, &column.Batch{N: out.N, Cols: out.Cols[2:], Own: true}))
}

// keptUsers opens the rows that the state keeps, as the new schema has them.
func (r *tableRun) keptUsers(ctx context.Context, s *schema) ([]rows.Cursor, error) {
	if r.old == nil || r.asNew || r.old.Users.IsZero() {
		return nil, nil
	}
	have := map[string]state.Column{}
	for _, c := range r.old.Columns {
		if c.Mask != string(config.MaskDrop) {
			have[fold(c.Delivered)] = c
		}
	}
	want := s.storedColumns()[:2]
	keys := map[string][]byte{}
	for _, p := range s.payload {
		c, ok := have[p.fold]
		if p.fold != colRescued && (!ok || p.mask == config.MaskNull) {
			continue
		}
		if p.mask == config.MaskHMAC && c.Mask == "" {
			keys[p.Name] = p.key
		}
		want = append(want, column.Column{Name: p.Name})
	}
	rd, err := r.openObject(ctx, r.old.Users, want)
	if err != nil {
		return nil, err
	}
	return []rows.Cursor{&keptCursor{r: r, s: s, rd: rd, masks: keys}}, nil
}

// keptCursor reads the kept users in the order of their raw ids.
type keptCursor struct {
	r     *tableRun
	s     *schema
	rd    sinks.Reader
	masks map[string][]byte // new masks, by column
}

func (c *keptCursor) Next(ctx context.Context) (*rows.Chunk, error) {
	b, err := c.rd.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	for name, key := range c.masks {
		column.MaskColumn(b.Col(name), key)
	}
	if err := c.s.maskNotes(b.Col(storedNotes)); err != nil {
		return nil, err
	}
	b.Own = true
	modified := b.Col(storedPrefix + colModified)
	ch := &rows.Chunk{Batch: b, Verdicts: rows.NewVerdicts(b.N)}
	for i, raw := range b.Cols[0].Ints {
		id := b.Cols[1].Ints[i]
		if !c.r.live(id) {
			continue
		}
		ver, err := rows.Version(c.r.rank[id], 0, 0)
		if err != nil {
			return nil, err
		}
		ch.Rows = append(ch.Rows, rows.Row{Raw: raw, Key: modifiedMillis(modified, i), Ver: ver, At: uint32(i)})
	}
	return ch, nil
}

// maskNotes takes out of the notes what the schema masks.
func (s *schema) maskNotes(notes *column.Column) error {
	clean := column.NewDict()
	for i, code := range notes.Codes {
		if code == 0 {
			continue
		}
		items, err := column.SplitRescue(notes.Dict.Value(code))
		if err != nil {
			return fmt.Errorf("notes of a kept user: %w", err)
		}
		items = slices.DeleteFunc(items, func(it column.Rescued) bool {
			return !strings.HasPrefix(it.Name, spellingKey) && !s.rescues(it.Name)
		})
		notes.Codes[i] = 0
		if len(items) > 0 {
			notes.Codes[i] = clean.Add(column.AppendRescue(nil, items))
		}
	}
	notes.Dict = clean
	return nil
}

func (c *keptCursor) Close() error { return c.rd.Close() }

// modifiedMillis orders last_modified texts: the least int64 stands for null.
func modifiedMillis(c *column.Column, i int) int64 {
	if c == nil || c.IsNull(i) {
		return math.MinInt64
	}
	ms, st := column.ParseTimestamp(c.Bytes(i))
	if st != column.TimeOK {
		return math.MinInt64
	}
	return ms
}

// writeUsers writes one row per canonical user.
func (r *tableRun) writeUsers(ctx context.Context, groups *ingest) (_ *part, err error) {
	p := &part{record: state.Partition{}}
	m := &userMerger{r: r}
	var data *multiWriter
	m.write = func(b *column.Batch) error {
		if data == nil {
			if data, err = r.attempt.openData(ctx); err != nil {
				return err
			}
		}
		p.record.Rows += int64(b.N)
		return data.Write(ctx, b)
	}
	defer func() {
		if err != nil && data != nil {
			data.abort()
		}
	}()
	var cursors []rows.Cursor
	for _, s := range groups.segments {
		if c := s.Open(0); c != nil {
			cursors = append(cursors, c)
		}
	}
	if err := merge.Partition(ctx, cursors, m.add); err != nil {
		return nil, err
	}
	if err := m.flush(); err != nil {
		return nil, err
	}
	if data == nil {
		return p, nil
	}
	if err := r.attempt.closeData(data, "part-00000.parquet", p); err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return p, nil
}
