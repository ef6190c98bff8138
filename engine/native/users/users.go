package users

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/write"
	"reconcile/engine/rowfile"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// allUsers brings the users table to its new state, with the delivered rows that ing has:
// the latest row per raw user, then one row per canonical user. Its cost is that of the
// whole table.
//
// The rows of raw users that stand for another one are put in the order of canonical
// users first. All others are in that order already: they are merged with these, and
// published, as they are picked.
func allUsers(ctx context.Context, r *pass.Run, ing *ingest.Ingest) (_ *pass.Outcome, err error) {
	stored := ing.Schema
	r.Attempt.Parallel = r.Env.Limits.Budget.Encoders(1)
	moved := ingest.New(stored, r.Env.Limits)
	moved.Limits.Budget = moved.Limits.Budget.MovedUsers()
	defer func() { err = errors.Join(err, moved.Close()) }()
	delivered := r.Delivered(ing)
	writing, reducing := workOfAll(r, delivered), ing.WorkOfReducing(delivered.AsDelivered())
	r.Env.Events.Expect(exec.Writing, workOfKept(r)+reducing+writing)
	if r.Stands != nil {
		if err := standInUsers(ctx, ing, r); err != nil {
			return nil, err
		}
	}
	if err := ing.Reduce(ctx, reducing); err != nil {
		return nil, err
	}
	picking := exec.WorkOfPicking(len(r.NewMapping.Moved()), delivered, r.Env.Limits.Budget, len(r.Task.Sinks))
	if err := pickMoved(ctx, r, stored, ing, moved, picking); err != nil {
		return nil, err
	}
	writing -= picking
	kept, err := keptBefore(ctx, r, stored, nil)
	if err != nil {
		return nil, err
	}
	w, err := rowfile.NewObject(ctx, r.Env.Objects, stored.Kept().Columns, r.Attempt.Parallel)
	if err != nil {
		return nil, errors.Join(err, closeAll(kept))
	}
	var latest *exec.Object
	var p *write.Part
	k := &userKeeper{r: r, s: stored, w: w, flow: write.NewRowPipe(), passed: r.Env.Events.Stretch(exec.Writing, rowsIn(r, ing), writing)}
	r.Env.Events.Expect(exec.Writing, writing)
	eg, egctx := errgroup.WithContext(ctx)
	eg.Go(func() (err error) {
		latest, err = latestUsers(egctx, r, k, kept, ing)
		k.flow.End(err)
		return err
	})
	eg.Go(func() (err error) {
		p, err = writeUsers(egctx, r, moved, k.flow)
		return err
	})
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	return usersOutcome(ctx, r, exec.Bulk, ing, p, func(c *pass.Outcome) { c.Users, c.UserRuns = latest.Ref, nil }, latest)
}

// workOfAll is how much work a pass over all users is behind reading what is delivered and
// looking through the rows that are kept.
func workOfAll(r *pass.Run, delivered exec.Extent) int64 {
	return exec.WorkOfUsers(bytesKept(r), delivered, r.Env.Limits.Budget, len(r.Task.Sinks))
}

// workOfKept is how much work it is to look through the rows that are kept.
func workOfKept(r *pass.Run) int64 { return exec.WorkOfKept(bytesKept(r)) }

// keptOf returns the runs of kept rows that the table goes on from: none if it starts as new.
func keptOf(r *pass.Run) []exec.Ref {
	if r.Old == nil || r.Task.Fresh {
		return nil
	}
	return r.Old.KeptUsers()
}

// bytesKept is their size.
func bytesKept(r *pass.Run) int64 {
	n := int64(0)
	for _, run := range keptOf(r) {
		n += run.Size
	}
	return n
}

// rowsIn counts the rows that a pass over all users goes through.
func rowsIn(r *pass.Run, ing *ingest.Ingest) int64 {
	n := ing.Len()
	for _, run := range keptOf(r) {
		n += run.Rows
	}
	return n
}

// keptBefore opens the kept rows, or those of some raw users, that the table goes on
// from: none if it starts as new.
func keptBefore(ctx context.Context, r *pass.Run, stored *decode.Schema, only *wantedUsers) ([]rows.Cursor, error) {
	return keptRuns(ctx, r, stored, keptOf(r), only)
}

// pickMoved picks the latest rows of the raw users that stand for another one. work is that
// of looking for them among those that are delivered.
func pickMoved(ctx context.Context, r *pass.Run, stored *decode.Schema, ing, moved *ingest.Ingest, work int64) error {
	users := r.NewMapping.Moved()
	if len(users) == 0 {
		return nil
	}
	only := wantUsers(r, users, keptOf(r), workOfKept(r))
	kept, err := keptBefore(ctx, r, stored, only)
	if err != nil {
		return err
	}
	defer only.passed.End()
	picked := r.Env.Events.Stretch(exec.Writing, ing.Len(), work)
	defer picked.End()
	_, err = latestUsers(ctx, r, &userKeeper{r: r, s: stored, groups: moved, only: &identity.Ascending{IDs: users}, passed: picked}, kept, ing)
	return err
}

// usersOutcome describes the new users table: its one partition, and what is kept
// of it.
func usersOutcome(ctx context.Context, r *pass.Run, s exec.Strategy, ing *ingest.Ingest, p *write.Part, keep func(*pass.Outcome), kept ...*exec.Object) (*pass.Outcome, error) {
	c := r.OutcomeOf(s, ing)
	c.All = p != nil
	c.Counts.Rounded += r.Rounded
	c.Counts.Rescued = r.Rescued
	if p != nil && len(p.Record.Files) > 0 {
		c.Parts = []*write.Part{p}
	}
	keep(c)
	c.Objects = append(c.Objects, kept...)
	if err := r.Finish(ctx, c, ing); err != nil {
		return nil, err
	}
	c.CountNet(r)
	return c, nil
}

// latestUsers merges kept rows, whose cursors it closes, with the delivered ones.
// The keeper takes the latest of each raw user. What it wrote is returned.
func latestUsers(ctx context.Context, r *pass.Run, k *userKeeper, kept []rows.Cursor, ing *ingest.Ingest) (*exec.Object, error) {
	cursors := kept
	for _, seg := range ing.Segments {
		if c := seg.Open(0); c != nil {
			cursors = append(cursors, c)
		}
	}
	k.Plans = ingest.Plans{Schema: k.s, Formats: ing.Formats}
	k.out.To = k.w
	err := rows.Merge(ctx, cursors, func(ch *rows.Chunk, i int) error { return k.add(ctx, ch, i) })
	err = errors.Join(err, k.end(ctx), k.out.Wait())
	if k.w == nil {
		return nil, err
	}
	if err != nil {
		return nil, errors.Join(err, k.w.Object.Abort())
	}
	obj, err := k.w.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = k.n
	return obj, nil
}

// userKeeper picks the latest row of each raw user from rows sorted by raw user.
type userKeeper struct {
	write.Gatherer
	r       *pass.Run
	s       *decode.Schema
	layout  *rules.Layout         // of kept rows
	w       *rowfile.ObjectWriter // takes the rows to be kept; nil if none are
	out     write.AsyncWriter     // writes to w
	groups  *ingest.Ingest        // takes the rows to be grouped, if there is no flow
	flow    *write.RowPipe        // takes the rows of raw users that stand for themselves alone
	only    *identity.Ascending   // raw users whose rows alone are picked; nil for all
	members *identity.Ascending   // raw users to be grouped; nil for all
	best    rules.Row
	chunk   *rows.Chunk // that best is row at of
	at      int
	g       column.Gatherer
	n       int64
	passed  *exec.Stretch // is told of the rows that were seen; nil for nobody
	seen    int           // since it was told last
}

// toldRows is after how many rows somebody is told of them.
const toldRows = 4096

func (k *userKeeper) add(ctx context.Context, ch *rows.Chunk, i int) error {
	row := ch.Rows[i]
	if k.seen++; k.seen == toldRows {
		k.tell()
	}
	if k.only != nil && !k.only.Has(row.Raw) || k.r.Stands.Drops(&row, k.r) {
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
	k.Gatherer.AddRow(k.chunk, k.at)
	k.chunk = nil
	if !k.Full(k.r.Task.Thresholds.GroupRows, k.r.Env.Limits.Budget) {
		return nil
	}
	return k.flush(ctx)
}

// tell tells of the rows that were seen. Those of a pass that looks for some users are seen
// again by the one that writes all.
func (k *userKeeper) tell() {
	switch {
	case k.passed == nil:
	case k.only != nil:
		k.passed.PassBytes(int64(k.seen))
	default:
		k.passed.Pass(k.seen)
	}
	k.seen = 0
}

func (k *userKeeper) end(ctx context.Context) error {
	k.tell()
	if k.chunk != nil {
		if err := k.take(ctx); err != nil {
			return err
		}
	}
	return k.flush(ctx)
}

// flush writes the picked rows to the kept object and to the grouping.
func (k *userKeeper) flush(ctx context.Context) error {
	if len(k.Selection) == 0 {
		return k.Failed()
	}
	if err := k.Resolve(); err != nil {
		return err
	}
	if k.layout == nil {
		k.layout = k.s.Kept()
	}
	l := k.layout
	out := &column.Batch{N: len(k.Selection), Cols: l.NewColumns()}
	user, dump := &out.Cols[l.User], &out.Cols[l.Dump]
	for _, m := range k.Meta {
		user.Ints = append(user.Ints, m.Raw)
		dump.Ints = append(dump.Ints, k.r.Task.Dumps[rules.DumpRank(m.Ver)])
	}
	own := k.OnlySource() != nil
	if own {
		l.SetPayload(out.Cols, k.TakeOnlySource())
	} else {
		into := k.OwnSource()
		if k.flow != nil {
			into = -1 // the rows are being read: nothing may be added to their dictionary
		}
		for i, p := range k.s.Payload {
			k.g.ColumnInto(&out.Cols[l.PayloadAt(i)], k.Columns(p.Name), k.Selection, into)
		}
	}
	if k.w != nil {
		if err := k.out.Write(ctx, out); err != nil {
			return err
		}
	}
	if !own { // rows that come later may add to the dictionaries
		if err := k.out.Wait(); err != nil {
			return err
		}
	}
	if err := k.regroup(ctx, out); err != nil {
		return err
	}
	k.n += int64(len(k.Selection))
	k.Reset()
	return nil
}

// regroup hands the rows of out on, to be merged by canonical user. out is given
// away.
func (k *userKeeper) regroup(ctx context.Context, out *column.Batch) error {
	rs := make([]rules.Row, 0, out.N)
	for i, m := range k.Meta {
		to := k.r.Canon(m.Raw)
		if k.flow != nil && to != m.Raw || k.members != nil && !k.members.Has(m.Raw) {
			continue
		}
		rs = append(rs, rules.Row{Raw: to, Key: m.Raw, Ver: m.Ver, At: uint32(i)})
	}
	b := &column.Batch{N: out.N, Cols: k.layout.PayloadBatch(out.Cols), Own: true}
	if k.flow != nil {
		return k.flow.Send(ctx, &rows.Chunk{Rows: rs, Batch: b, Verdicts: rows.NewVerdicts(len(rs))})
	}
	return k.groups.Keep(ctx, rows.NewSegment(rs, b))
}

// writeUsers writes one row per canonical user.
func writeUsers(ctx context.Context, r *pass.Run, groups *ingest.Ingest, more ...rows.Cursor) (*write.Part, error) {
	w := r.Attempt.TableWriter(&write.Part{})
	out := write.AsyncWriter{To: w}
	err := mergeUsers(ctx, r, groups, func(b *column.Batch) error { return out.Write(ctx, b) }, more...)
	return w.Finish(errors.Join(err, out.Wait()))
}

// mergeUsers groups rows by canonical user and writes one row for each, in the
// order of their ids.
func mergeUsers(ctx context.Context, r *pass.Run, groups *ingest.Ingest, write func(*column.Batch) error, more ...rows.Cursor) error {
	if err := groups.Reduce(ctx, 0); err != nil {
		return err
	}
	m := &userMerger{r: r, layout: r.Schema.Published(), write: write}
	cursors := more
	for _, s := range groups.Segments {
		if c := s.Open(0); c != nil {
			cursors = append(cursors, c)
		}
	}
	if err := rows.Merge(ctx, cursors, m.add); err != nil {
		return err
	}
	err := m.flush()
	r.Rounded += m.rounded
	r.Rescued += m.rescued
	return err
}
