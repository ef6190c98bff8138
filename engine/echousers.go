package engine

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// echoUsers brings the users table to the state after an echo. No group changes
// its values, and the greatest dump of a group is that of the echo where it was
// the first one: unless the mapping changes, all but the dumps is copied.
func (r *tableRun) echoUsers(ctx context.Context) (*outcome, error) {
	p, copied, err := r.moveUsers(ctx)
	if err != nil {
		return nil, err
	}
	if !copied {
		return r.regroupUsers(ctx)
	}
	kept, moved, err := r.moveKept(ctx)
	if err != nil {
		return nil, err
	}
	ing := newIngest(r.schema, r.env.Limits)
	if err := r.readFiles(ctx, ing); err != nil {
		return nil, err
	}
	ing.rescued = r.echo.rescuedRows()
	c := r.outcomeOf(exec.Redeliver, ing)
	if len(kept) > 0 {
		c.Users, c.UserRuns = kept[0], kept[1:]
	}
	c.Objects = append(c.Objects, moved...)
	if p != nil {
		c.All, c.parts = true, []*stagedPart{p}
	}
	if err := r.finish(ctx, c, ing); err != nil {
		return nil, err
	}
	c.countNet(r)
	return c, nil
}

// moveKept writes those of the kept users' objects anew that have rows of the first
// dump. It returns all of them, and those that are new.
func (r *tableRun) moveKept(ctx context.Context) (kept []exec.Ref, moved []*exec.Object, err error) {
	kept = r.old.KeptUsers()
	for i, ref := range kept {
		obj, err := r.moveObject(ctx, ref, r.schema.uncast().Kept().Columns, dumpOfKept)
		if err != nil {
			return nil, nil, err
		}
		if obj != nil {
			kept[i], moved = obj.Ref, append(moved, obj)
		}
	}
	return kept, moved, nil
}

// regroupUsers groups all users again. What the kept rows have of the first dump
// counts as the echo's.
func (r *tableRun) regroupUsers(ctx context.Context) (*outcome, error) {
	if err := r.countKept(ctx); err != nil {
		return nil, err
	}
	c, err := r.users(ctx)
	if err == nil {
		c.Counts.Rescued += r.echo.rescuedRows()
	}
	return c, err
}

// countKept counts the kept users of the first dump.
func (r *tableRun) countKept(ctx context.Context) error {
	for _, ref := range r.old.KeptUsers() {
		rd, err := r.openObject(ctx, ref, []column.Column{{Name: rules.KeptDump, Type: typeInt64}, {Name: rules.KeptNotes}})
		if err != nil {
			return err
		}
		err = eachBatch(ctx, rd, func(b *column.Batch) error {
			r.echo.count(b.Col(rules.KeptDump).Ints, b.Col(rules.KeptNotes))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// moveUsers stages the published users with the new dump in the place of the
// first, nil if there are none. They are not copied where they must be grouped
// again, are not one file, or lie in a sink that cannot copy.
func (r *tableRun) moveUsers(ctx context.Context) (_ *stagedPart, copied bool, err error) {
	if len(r.oldParts) == 0 {
		return nil, true, nil
	}
	if len(identity.Diff(r.oldMapping, r.newMapping)) > 0 {
		return nil, false, nil
	}
	from, err := r.openUsersFile(ctx)
	if err != nil || from == nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	w := r.attempt.tableWriter(&stagedPart{record: exec.Partition{Ordinal: r.oldParts[0].Ordinal}})
	copied, err = r.copyUsers(ctx, from, w)
	if err == nil && !copied {
		w.abort()
		return nil, false, nil
	}
	p, err := w.finish(err)
	return p, true, err
}

// copyUsers copies the published file, and reports whether every sink can.
func (r *tableRun) copyUsers(ctx context.Context, from sinks.GroupReader, w *partWriter) (ok bool, err error) {
	if err := w.open(ctx); err != nil {
		return false, err
	}
	to := w.data
	if !to.copies() {
		return false, nil
	}
	for g := range from.Groups() {
		col, err := r.echo.move(ctx, from, g, dumpOfUsers)
		if err != nil {
			return false, err
		}
		if err := to.copy(ctx, from, g, replacing(col)); err != nil {
			return false, err
		}
	}
	return true, nil
}
