package engine

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/merge"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// users brings the users table to its new state: the latest row per raw user,
// then one row per canonical user. Its cost is that of the whole table.
//
// The rows of raw users that stand for another one are put in the order of canonical
// users first. All others are in that order already: they are merged with these, and
// published, as they are picked.
func (r *tableRun) users(ctx context.Context) (_ *outcome, err error) {
	stored := r.schema.uncast()
	r.attempt.parallel = r.env.Limits.Budget.Encoders(1)
	ing := r.newIngest(stored)
	moved := newIngest(stored, r.env.Limits)
	moved.lim.Budget = moved.lim.Budget.MovedUsers()
	defer func() { err = errors.Join(err, ing.close(), moved.close()) }()
	if r.stands != nil {
		if err := ing.standInUsers(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := r.readFiles(ctx, ing); err != nil {
		return nil, err
	}
	if err := r.pickMoved(ctx, stored, ing, moved); err != nil {
		return nil, err
	}
	kept, err := r.keptBefore(ctx, stored, nil)
	if err != nil {
		return nil, err
	}
	w, err := openObject(ctx, r.env.Objects, stored.Kept().Columns, r.attempt.parallel)
	if err != nil {
		return nil, errors.Join(err, closeAll(kept))
	}
	var latest *exec.Object
	var p *stagedPart
	k := &userKeeper{r: r, s: stored, w: w, flow: newRowFlow()}
	eg, egctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		latest, err = r.latestUsers(egctx, k, kept, ing)
		k.flow.end(err)
		return err
	})
	eg.Go(func() (err error) {
		p, err = r.writeUsers(egctx, moved, k.flow)
		return err
	})
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	return r.usersOutcome(ctx, exec.Bulk, ing, p, func(c *outcome) { c.Users, c.UserRuns = latest.Ref, nil }, latest)
}

// keptBefore opens the kept rows, or those of some raw users, that the table goes on
// from: none if it starts as new.
func (r *tableRun) keptBefore(ctx context.Context, stored *schema, only []int64) ([]rows.Cursor, error) {
	if r.old == nil || r.task.Fresh {
		return nil, nil
	}
	return r.keptRuns(ctx, stored, r.old.KeptUsers(), only)
}

// pickMoved picks the latest rows of the raw users that stand for another one.
func (r *tableRun) pickMoved(ctx context.Context, stored *schema, ing, moved *ingest) error {
	users := r.newMapping.Moved()
	if len(users) == 0 {
		return nil
	}
	kept, err := r.keptBefore(ctx, stored, users)
	if err != nil {
		return err
	}
	counted := ing.rescued // all rows will be decoded again
	_, err = r.latestUsers(ctx, &userKeeper{r: r, s: stored, groups: moved, only: &ascending{users}}, kept, ing)
	ing.rescued = counted
	return err
}

// usersOutcome describes the new users table: its one partition, and what is kept
// of it.
func (r *tableRun) usersOutcome(ctx context.Context, s exec.Strategy, ing *ingest, p *stagedPart, keep func(*outcome), kept ...*exec.Object) (*outcome, error) {
	c := r.outcomeOf(s, ing)
	c.All = true
	c.Counts.Rounded += r.rounded
	if len(p.record.Files) > 0 {
		c.parts = []*stagedPart{p}
	}
	keep(c)
	c.Objects = append(c.Objects, kept...)
	if err := r.finish(ctx, c, ing); err != nil {
		return nil, err
	}
	c.countNet(r)
	return c, nil
}

// latestUsers merges kept rows, whose cursors it closes, with the delivered ones.
// The keeper takes the latest of each raw user. What it wrote is returned.
func (r *tableRun) latestUsers(ctx context.Context, k *userKeeper, kept []rows.Cursor, ing *ingest) (*exec.Object, error) {
	cursors := kept
	for _, seg := range ing.segments {
		if c := seg.Open(0); c != nil {
			cursors = append(cursors, c)
		}
	}
	k.plans = plans{schema: k.s, shapes: ing.shapes}
	k.out.w = k.w
	err := merge.Partition(ctx, cursors, func(ch *rows.Chunk, i int) error { return k.add(ctx, ch, i) })
	err = errors.Join(err, k.end(ctx), k.out.wait())
	ing.rescued += k.rescued
	if k.w == nil {
		return nil, err
	}
	if err != nil {
		return nil, errors.Join(err, k.w.obj.Abort())
	}
	obj, err := k.w.close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = k.n
	return obj, nil
}

// userKeeper picks the latest row of each raw user from rows sorted by raw user.
type userKeeper struct {
	picker
	r       *tableRun
	s       *schema
	layout  *rules.Layout // of kept rows
	w       *shadowWriter // takes the rows to be kept; nil if none are
	out     overlap       // writes to w
	groups  *ingest       // takes the rows to be grouped, if there is no flow
	flow    *rowFlow      // takes the rows of raw users that stand for themselves alone
	only    *ascending    // raw users whose rows alone are picked; nil for all
	members *ascending    // raw users to be grouped; nil for all
	best    rows.Row
	chunk   *rows.Chunk // that best is row at of
	at      int
	g       column.Gatherer
	n       int64
}

func (k *userKeeper) add(ctx context.Context, ch *rows.Chunk, i int) error {
	row := ch.Rows[i]
	if k.only != nil && !k.only.has(row.Raw) || k.r.stands.drops(&row, k.r) {
		return nil
	}
	if k.chunk != nil && k.best.Raw != row.Raw {
		if err := k.take(ctx); err != nil {
			return err
		}
	}
	if k.chunk == nil || rules.LaterUser(row, k.best) {
		k.best, k.chunk, k.at = row, ch, i
	}
	return nil
}

func (k *userKeeper) take(ctx context.Context) error {
	k.picker.add(k.chunk, k.at)
	k.chunk = nil
	if len(k.picks) < k.r.task.Thresholds.GroupRows && k.bytes < k.r.env.Limits.Budget.RowGroup() {
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
	if k.layout == nil {
		k.layout = k.s.Kept()
	}
	l := k.layout
	out := &column.Batch{N: len(k.picks), Cols: l.NewColumns()}
	user, dump := &out.Cols[l.User], &out.Cols[l.Dump]
	for _, m := range k.meta {
		user.Ints = append(user.Ints, m.Raw)
		dump.Ints = append(dump.Ints, k.r.task.Dumps[rows.DumpRank(m.Ver)])
	}
	own := k.straight() != nil
	if own {
		l.SetPayload(out.Cols, k.takeStraight())
	} else {
		into := k.own()
		if k.flow != nil {
			into = -1 // who reads the rows meanwhile must not meet additions
		}
		for i, p := range k.s.Payload {
			k.g.ColumnInto(&out.Cols[l.PayloadAt(i)], k.columns(p.Name), k.picks, into)
		}
	}
	if k.w != nil {
		if err := k.out.Write(ctx, out); err != nil {
			return err
		}
	}
	if !own { // rows that come later may add to the dictionaries
		if err := k.out.wait(); err != nil {
			return err
		}
	}
	if err := k.regroup(ctx, out); err != nil {
		return err
	}
	k.n += int64(len(k.picks))
	k.reset()
	return nil
}

// regroup hands the rows of out on, to be merged by canonical user. out is given
// away.
func (k *userKeeper) regroup(ctx context.Context, out *column.Batch) error {
	rs := make([]rows.Row, 0, out.N)
	for i, m := range k.meta {
		to := k.r.canon(m.Raw)
		if k.flow != nil && to != m.Raw || k.members != nil && !k.members.has(m.Raw) {
			continue
		}
		rs = append(rs, rows.Row{Raw: to, Key: m.Raw, Ver: m.Ver, At: uint32(i)})
	}
	b := &column.Batch{N: out.N, Cols: k.layout.PayloadBatch(out.Cols), Own: true}
	if k.flow != nil {
		return k.flow.send(ctx, &rows.Chunk{Rows: rs, Batch: b, Verdicts: rows.NewVerdicts(len(rs))})
	}
	return k.groups.keep(ctx, rows.NewSegment(rs, b))
}

// writeUsers writes one row per canonical user.
func (r *tableRun) writeUsers(ctx context.Context, groups *ingest, more ...rows.Cursor) (*stagedPart, error) {
	w := r.attempt.tableWriter(&stagedPart{})
	out := overlap{w: w}
	err := r.mergeUsers(ctx, groups, func(b *column.Batch) error { return out.Write(ctx, b) }, more...)
	return w.finish(errors.Join(err, out.wait()))
}

// mergeUsers groups rows by canonical user and writes one row for each, in the
// order of their ids.
func (r *tableRun) mergeUsers(ctx context.Context, groups *ingest, write func(*column.Batch) error, more ...rows.Cursor) error {
	m := &userMerger{r: r, layout: r.schema.Published(), write: write}
	cursors := more
	for _, s := range groups.segments {
		if c := s.Open(0); c != nil {
			cursors = append(cursors, c)
		}
	}
	if err := merge.Partition(ctx, cursors, m.add); err != nil {
		return err
	}
	err := m.flush()
	r.rounded += m.rounded
	return err
}
