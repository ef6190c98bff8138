package native

import (
	"context"
	"errors"

	"reconcile/engine/exec"
	"reconcile/engine/native/events"
	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/engine/native/users"
	"reconcile/engine/partfile"
	"reconcile/internal/feed"
)

// Executor carries out tasks in this process.
type Executor struct{}

// Execute implements exec.Executor.
func (Executor) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	if err := t.CheckWritable(exec.CurrentFormats()); err != nil {
		return nil, err
	}
	r, err := pass.New(ctx, t, env)
	if err != nil {
		return nil, err
	}
	out := &exec.Result{Attempt: t.Attempt}
	if out.Task, err = t.Digest(); err != nil {
		return nil, err
	}
	c, err := compute(ctx, r)
	var late *ingest.LateColumns
	switch {
	case errors.As(err, &late):
		out.Outcome, out.Again = exec.OutcomeAgain, &exec.Again{Columns: late.Columns}
	case partfile.Holding(err) != nil && ctx.Err() == nil:
		out.Outcome, out.Held = exec.OutcomeHeld, partfile.Holding(err).Held()
	case err != nil:
		return nil, err
	default:
		out.Outcome, out.Done = exec.OutcomeDone, c.Staged(t)
	}
	return out, nil
}

// compute stages the new content of the table, in the way that fits.
func compute(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	if err := r.Confirm(ctx); err != nil {
		return nil, err
	}
	switch {
	case r.Task.Permitted.Copy:
		return copySinks(ctx, r)
	case r.Task.Kind == feed.KindMapping:
		return mappingTable(ctx, r)
	case r.Task.Permitted.Metadata:
		return metadataOnly(ctx, r)
	case r.Task.Kind == feed.KindUsers:
		return users.Run(ctx, r)
	}
	return events.Run(ctx, r)
}

// metadataOnly changes the table's record and nothing else.
func metadataOnly(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	return r.NewOutcome(exec.Metadata), ctx.Err()
}
