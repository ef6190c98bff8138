package users

import (
	"context"
	"errors"
	"slices"

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
	"reconcile/sinks"
)

// usersDelta is one pass over the users that takes only what changes: the groups
// of the delivered users, and of those whose canonical user is another, are
// merged again, from the kept rows of their members. All other rows are taken over
// from the published file. It gives the rows that a pass over all users gives.
//
// Invariants: the published file is sorted by user_id. A group is merged again as
// a whole: members holds every raw user whose canonical user is that of any of
// them. The newest of a raw user's kept rows is its latest, whichever run of the
// kept users has it.
type usersDelta struct {
	*pass.Run
	stored  *decode.Schema
	ing     *ingest.Ingest // delivered rows
	groups  *ingest.Ingest // rows of members
	changed []int64        // raw users whose canonical user differs
	members []int64        // raw users, sorted
}

// deltaUsers brings the users table to its new state, with the delivered rows that ing has.
// Its cost is that of the published file, not of merging all users. It does not fit where
// these are not all in memory, the file cannot be gone by, or most users change.
func deltaUsers(ctx context.Context, r *pass.Run, ing *ingest.Ingest) (_ *pass.Outcome, fits bool, err error) {
	if ing.Spilled() {
		return nil, false, nil
	}
	file, err := openUsersFile(ctx, r)
	if err != nil || file == nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r.Attempt.Parallel = r.Env.Limits.Budget.Encoders(1)
	d := &usersDelta{Run: r, stored: ing.Schema, ing: ing, groups: ingest.New(ing.Schema, r.Env.Limits)}
	d.groups.Limits.Budget = ing.Limits.Budget
	defer func() { err = errors.Join(err, d.groups.Close()) }()
	if !d.affected() {
		return nil, false, nil
	}
	work := int64(0)
	if len(d.members) > 0 {
		work = r.WorkOfSplicing(r.StoredBytes(r.OldParts...)) + r.WorkOfWriting(r.Delivered(ing).AsWritten())
	}
	r.Env.Events.Expect(exec.Writing, workOfKept(r)+work)
	runs, added, err := d.keep(ctx)
	if err != nil {
		return nil, true, err
	}
	var p *write.Part // nil: the published file stays
	if len(d.members) > 0 {
		if p, err = d.publish(ctx, file, work); err != nil {
			return nil, true, err
		}
	}
	c, err := usersOutcome(ctx, r, exec.Delta, d.ing, p, func(c *pass.Outcome) { c.UserRuns = runs }, added...)
	return c, true, err
}

// openUsersFile opens the published file. It returns nil where there is not exactly
// one, or its row groups cannot be read one by one: then all users are merged.
func openUsersFile(ctx context.Context, r *pass.Run) (sinks.GroupReader, error) {
	var files []exec.File
	for _, p := range r.OldParts {
		for _, f := range p.Files {
			if f.Sink == r.Old.ReadFrom {
				files = append(files, f)
			}
		}
	}
	if len(files) != 1 {
		return nil, nil
	}
	rd, err := r.OpenData(ctx, files[0], r.Schema.FileColumns())
	if err != nil {
		return nil, err
	}
	if g, ok := rd.(sinks.GroupReader); ok {
		return g, nil
	}
	return nil, rd.Close()
}

// keptAgain reports whether so much was added to the kept users that they are to
// be rewritten.
func keptAgain(r *pass.Run) bool {
	added := int64(0)
	for _, run := range r.Old.UserRuns {
		added += run.Rows
	}
	return exec.KeptAgain(r.Old.Users.Rows, added)
}

// affected finds the members, and reports whether they are less than half of the users.
func (d *usersDelta) affected() bool {
	var users []int64
	for _, s := range d.ing.Segments {
		for _, row := range s.Rows() {
			users = append(users, row.Raw)
		}
	}
	d.changed = identity.Diff(d.OldMapping, d.NewMapping)
	d.members = identity.Expand(identity.SortUnique(users), d.changed, d.OldMapping, d.NewMapping)
	return int64(len(d.members)) <= d.Old.Users.Rows/2
}

// keep picks the latest row of each member. What was delivered becomes a new run
// of the kept users; with it runs are merged when there are too many.
func (d *usersDelta) keep(ctx context.Context) (runs []exec.Ref, added []*exec.Object, err error) {
	base, runs := []exec.Ref{d.Old.Users}, slices.Clone(d.Old.UserRuns)
	merged := []exec.Ref{}
	if d.ing.Read > 0 && len(runs) >= d.Task.Thresholds.IndexRuns {
		merged, runs = runs, nil
	}
	only := wantUsers(d.Run, d.wanted(), append(base, runs...), workOfKept(d.Run))
	defer only.passed.End()
	cursors, err := keptRuns(ctx, d.Run, d.stored, append(base, runs...), only)
	if err != nil {
		return nil, nil, err
	}
	whole, err := keptRuns(ctx, d.Run, d.stored, merged, nil)
	if err != nil {
		return nil, nil, errors.Join(err, closeAll(cursors))
	}
	k := &userKeeper{r: d.Run, s: d.stored, groups: d.groups, members: &identity.Ascending{IDs: d.members}}
	if d.ing.Read > 0 {
		if k.w, err = rowfile.NewObject(ctx, d.Env.Objects, d.stored.Kept().Columns, d.Attempt.Parallel); err != nil {
			return nil, nil, errors.Join(err, closeAll(cursors), closeAll(whole))
		}
	}
	obj, err := latestUsers(ctx, d.Run, k, append(cursors, whole...), d.ing)
	if err != nil || obj == nil {
		return runs, nil, err
	}
	return append(runs, obj.Ref), []*exec.Object{obj}, nil
}

// wanted returns the members whose kept rows matter: those of whom no newer row
// than any kept one was delivered.
func (d *usersDelta) wanted() []int64 {
	newest := -1
	for _, a := range d.Task.Applied {
		newest = max(newest, d.Rank[a.Dump])
	}
	var renewed []int64
	for _, s := range d.ing.Segments {
		for _, row := range s.Rows() {
			if rules.DumpRank(row.Ver) > newest {
				renewed = append(renewed, row.Raw)
			}
		}
	}
	done := identity.Ascending{IDs: identity.SortUnique(renewed)}
	return slices.DeleteFunc(slices.Clone(d.members), done.Has)
}

// replaced returns, sorted, the canonical users whose published row does not stay.
func (d *usersDelta) replaced() []int64 {
	out := make([]int64, 0, len(d.members)+len(d.changed))
	for _, raw := range d.members {
		out = append(out, d.NewMapping.Canon(raw))
	}
	for _, raw := range d.changed {
		out = append(out, d.OldMapping.Canon(raw))
	}
	return identity.SortUnique(out)
}

// publish writes the users' file: the merged rows, and those that stay.
func (d *usersDelta) publish(ctx context.Context, file sinks.GroupReader, work int64) (*write.Part, error) {
	w := d.Attempt.TableWriter(&write.Part{})
	s := newUsersSplice(d.Run, file, w, d.replaced())
	s.passed = d.Env.Events.Stretch(exec.Writing, s.rowsLeft(), work)
	err := mergeUsers(ctx, d.Run, d.groups, func(b *column.Batch) error { return s.take(ctx, b) })
	if err == nil {
		err = s.finish(ctx)
	}
	return w.Finish(err)
}

func closeAll(cursors []rows.Cursor) error {
	var errs []error
	for _, c := range cursors {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
