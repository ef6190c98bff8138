package users

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/redelivery"
	"reconcile/engine/native/write"
	"reconcile/engine/rowfile"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/parquet"
	"reconcile/sinks"
)

// redelivered brings the users table to the state after a redelivery. No group changes
// its values, and the greatest dump of a group is that of the redelivery where it was
// the first one: unless the mapping changes, all but the dumps is copied.
func redelivered(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	p, copied, err := moveUsers(ctx, r)
	if err != nil {
		return nil, err
	}
	if !copied {
		return regroupUsers(ctx, r)
	}
	kept, moved, err := moveKept(ctx, r)
	if err != nil {
		return nil, err
	}
	ing := ingest.New(r.Schema, r.Env.Limits)
	if err := r.ReadFiles(ctx, ing); err != nil {
		return nil, err
	}
	ing.Rescued = r.Redelivery.RescuedRows()
	c := r.OutcomeOf(exec.Redeliver, ing)
	if len(kept) > 0 {
		c.Users, c.UserRuns = kept[0], kept[1:]
	}
	c.Objects = append(c.Objects, moved...)
	if p != nil {
		c.All, c.Parts = true, []*write.Part{p}
	}
	if err := r.Finish(ctx, c, ing); err != nil {
		return nil, err
	}
	c.CountNet(r)
	return c, nil
}

// moveKept writes those of the kept users' objects again that have rows of the first
// dump. It returns all of them, and those that are new.
func moveKept(ctx context.Context, r *pass.Run) (kept []exec.Ref, moved []*exec.Object, err error) {
	kept = r.Old.KeptUsers()
	for i, ref := range kept {
		obj, err := r.Redelivery.MoveObject(ctx, r.Env.Objects, ref, r.Schema.AsKept().Kept().Columns, redelivery.OfKept)
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
// counts as the redelivery's.
func regroupUsers(ctx context.Context, r *pass.Run) (_ *pass.Outcome, err error) {
	if err := countKept(ctx, r); err != nil {
		return nil, err
	}
	ing := r.NewIngest(r.Schema.AsKept())
	defer func() { err = errors.Join(err, ing.Close()) }()
	if err := r.ReadFiles(ctx, ing); err != nil {
		return nil, err
	}
	return allUsers(ctx, r, ing)
}

// countKept counts the kept users of the first dump.
func countKept(ctx context.Context, r *pass.Run) error {
	for _, ref := range r.Old.KeptUsers() {
		rd, err := r.OpenObject(ctx, ref, []column.Column{{Name: rules.KeptDump, Type: column.Int64Type}, {Name: rules.KeptNotes}})
		if err != nil {
			return err
		}
		err = rowfile.EachBatch(ctx, rd, func(b *column.Batch) error {
			r.Redelivery.Count(b.Col(rules.KeptDump).Ints, b.Col(rules.KeptNotes))
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
func moveUsers(ctx context.Context, r *pass.Run) (_ *write.Part, copied bool, err error) {
	if len(r.OldParts) == 0 {
		return nil, true, nil
	}
	if len(identity.Diff(r.OldMapping, r.NewMapping)) > 0 {
		return nil, false, nil
	}
	from, err := openUsersFile(ctx, r)
	if err != nil || from == nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	w := r.Attempt.TableWriter(&write.Part{Record: exec.Partition{Ordinal: r.OldParts[0].Ordinal}})
	copied, err = copyUsers(ctx, r, from, w)
	if err == nil && !copied {
		w.Abort()
		return nil, false, nil
	}
	p, err := w.Finish(err)
	return p, true, err
}

// copyUsers copies the published file, and reports whether every sink can.
func copyUsers(ctx context.Context, r *pass.Run, from sinks.GroupReader, w *write.PartWriter) (ok bool, err error) {
	if err := w.Open(ctx); err != nil {
		return false, err
	}
	to := w.Data
	if !to.Copies() {
		return false, nil
	}
	for g := range from.Groups() {
		col, err := r.Redelivery.Move(ctx, from, g, redelivery.OfUsers)
		if err != nil {
			return false, err
		}
		if err := to.Copy(ctx, from, g, parquet.Replacing(col)); err != nil {
			return false, err
		}
	}
	return true, nil
}
