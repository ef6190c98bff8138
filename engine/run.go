package engine

import (
	"context"
	"errors"
	"slices"

	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/internal/feed"
)

// tableRun carries out one task. It is used once, by one goroutine; what it does in
// parallel it owns.
type tableRun struct {
	task       *exec.Task
	env        *exec.Env
	schema     *schema
	old        *exec.Stored      // nil for a new table
	oldParts   []*exec.Partition // of it
	oldSinks   []exec.Sink       // by index of old.Sinks
	oldMapping *identity.Closure
	newMapping *identity.Closure
	rank       map[int64]int // of all dumps
	attempt    *attempt
	// stands are published rows that take the place of those of dumps that are gone; nil
	// if none do.
	stands *standIns
	// rounded counts values of users.
	rounded int64
	// echo is what the only delivery repeats, nil if it repeats nothing.
	echo *echo
}

// newTableRun opens what a task names.
func newTableRun(ctx context.Context, t *exec.Task, env *exec.Env) (*tableRun, error) {
	r := &tableRun{task: t, env: env, schema: newSchema(t.Schema, env.Key, env.Compute), old: t.Stored, rank: make(map[int64]int, len(t.Dumps))}
	for i, id := range t.Dumps {
		r.rank[id] = i
	}
	var err error
	if r.old != nil {
		for i := range r.old.Partitions {
			r.oldParts = append(r.oldParts, &r.old.Partitions[i])
		}
		for _, root := range r.old.Sinks {
			r.oldSinks = append(r.oldSinks, env.Sinks[root])
		}
	}
	if r.oldMapping, err = closureOf(ctx, env, t.OldMapping); err != nil {
		return nil, err
	}
	if r.newMapping, err = closureOf(ctx, env, t.NewMapping); err != nil {
		return nil, err
	}
	r.attempt = newAttempt(t, env, r.schema)
	r.stands, err = r.openStandIns()
	return r, err
}

func closureOf(ctx context.Context, env *exec.Env, m *exec.Mapping) (*identity.Closure, error) {
	if m == nil {
		return nil, nil
	}
	return env.Mappings.Closure(ctx, m.Ref)
}

// files lists the part files to read: those of live deliveries.
func (r *tableRun) files() []sourceFile {
	var out []sourceFile
	for i := range r.task.Deliveries {
		d := &r.task.Deliveries[i]
		if d.Skipped || !r.task.Live(d.Dump) {
			continue
		}
		for i, f := range d.Files {
			out = append(out, sourceFile{dump: d.Dump, rank: r.rank[d.Dump], index: i, key: f.Key, pin: f.Pin, again: d.Again,
				claims: d.Claims, columns: d.Columns, hasColumns: d.HasColumns})
		}
	}
	return out
}

// canon is the mapping that the table will stand at.
func (r *tableRun) canon(raw int64) int64 { return r.newMapping.Canon(raw) }

// executor carries out tasks in this process.
type executor struct{}

// InProcess returns the executor in this process.
func InProcess() exec.Executor { return executor{} }

// Execute implements exec.Executor.
func (executor) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	r, err := newTableRun(ctx, t, env)
	if err != nil {
		return nil, err
	}
	out := &exec.Result{Attempt: t.Attempt}
	if out.Task, err = t.Digest(); err != nil {
		return nil, err
	}
	c, err := r.compute(ctx)
	var late *lateColumns
	switch {
	case errors.As(err, &late):
		out.Late = late.columns
	case holding(err) != nil && ctx.Err() == nil:
		out.Held = heldBy(holding(err))
	case err != nil:
		return nil, ofSource(err)
	default:
		out.Done = c.done()
	}
	return out, nil
}

// ofSource gives the error of a source that cannot be read its class.
func ofSource(err error) error {
	var file *fileError
	if errors.As(err, &file) && dump.Unavailable(err) && exec.ClassOf(err) == exec.Unclassed {
		return &exec.Error{Class: exec.SourceUnavailable, Err: err}
	}
	return err
}

// compute stages the new content of the table, in the way that fits.
func (r *tableRun) compute(ctx context.Context) (*outcome, error) {
	if err := r.confirmEcho(ctx); err != nil {
		return nil, err
	}
	switch {
	case r.task.Kind == feed.KindMapping:
		return r.mappingTable(ctx)
	case r.task.Permitted.Metadata:
		return r.metadataOnly(ctx)
	case r.task.Kind == feed.KindUsers && r.task.StandIns != nil:
		return r.usersStoodIn(ctx)
	case r.task.Kind == feed.KindUsers:
		return r.usersTable(ctx)
	}
	if r.task.Permitted.Delta {
		c, fits, err := r.delta(ctx)
		if err != nil || fits {
			return c, err
		}
	}
	return r.bulk(ctx)
}

// usersTable brings the users to their new state.
func (r *tableRun) usersTable(ctx context.Context) (*outcome, error) {
	if r.echo != nil {
		return r.echoUsers(ctx)
	}
	if r.task.Permitted.Delta {
		c, fits, err := r.usersDelta(ctx)
		if err != nil || fits {
			return c, err
		}
	}
	return r.users(ctx)
}

// metadataOnly changes the table's record and nothing else.
func (r *tableRun) metadataOnly(ctx context.Context) (*outcome, error) {
	return r.newOutcome(exec.Metadata), ctx.Err()
}

// outcome is the staged new content of a table while it is made.
type outcome struct {
	exec.Done
	parts []*stagedPart
}

// newOutcome begins an outcome from what the table has.
func (r *tableRun) newOutcome(s exec.Strategy) *outcome {
	c := &outcome{Done: exec.Done{Strategy: s}}
	if r.old == nil {
		return c
	}
	c.Generation, c.NextOrdinal = r.old.Generation, r.old.NextOrdinal
	c.Index, c.Users, c.UserRuns = slices.Clone(r.old.Index), r.old.Users, slices.Clone(r.old.UserRuns)
	c.Content, c.Read = r.task.KeptContent(), r.old.Read
	for _, q := range r.old.Quarantine {
		if r.task.Live(q.Dump) && r.task.Delivery(q.Dump) == nil {
			c.Quarantine = append(c.Quarantine, q)
		}
	}
	return c
}

// done returns the outcome as data.
func (c *outcome) done() *exec.Done {
	for _, p := range c.parts {
		c.Partitions = append(c.Partitions, p.record)
	}
	return &c.Done
}

// newIngest returns an ingest of the task's part files.
func (r *tableRun) newIngest(s *schema) *ingest {
	g := newIngest(s, r.env.Limits)
	g.failCasts, g.frozen, g.progress = r.task.FailCasts, r.task.Frozen, r.env.Events.Progress
	return g
}
