package pass

import (
	"context"

	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/engine/native/redelivery"
	"reconcile/engine/native/write"
)

// Run carries out one task. It is used once, by one goroutine; what it does in
// parallel it owns.
type Run struct {
	Task       *exec.Task
	Env        *exec.Env
	Schema     *decode.Schema
	Old        *exec.Stored      // nil for a new table
	OldParts   []*exec.Partition // of it
	OldSinks   []exec.Sink       // by index of old.Sinks
	OldMapping *identity.Closure
	NewMapping *identity.Closure
	Rank       map[int64]int // of all dumps
	Attempt    *write.Attempt
	// Stands are published rows that take the place of those of dumps that are gone; nil
	// if none do.
	Stands *StandIns
	// Rounded counts values of users, Rescued the users that were written with something
	// rescued.
	Rounded, Rescued int64
	// Redelivery is what the only delivery repeats, nil if it repeats nothing.
	Redelivery *redelivery.Redelivery
}

// New opens what a task names.
func New(ctx context.Context, t *exec.Task, env *exec.Env) (*Run, error) {
	limited := *env
	limited.Limits = env.Limits.ForColumns(len(t.Schema.Payload))
	env = &limited
	r := &Run{Task: t, Env: env, Schema: decode.NewSchema(t.Schema, env.Key, env.Compute), Old: t.Stored, Rank: make(map[int64]int, len(t.Dumps))}
	for i, id := range t.Dumps {
		r.Rank[id] = i
	}
	var err error
	if r.Old != nil {
		for i := range r.Old.Partitions {
			r.OldParts = append(r.OldParts, &r.Old.Partitions[i])
		}
		for _, root := range r.Old.Sinks {
			r.OldSinks = append(r.OldSinks, env.Sinks[root])
		}
	}
	if r.OldMapping, err = closureOf(ctx, env, t.OldMapping); err != nil {
		return nil, err
	}
	if r.NewMapping, err = closureOf(ctx, env, t.NewMapping); err != nil {
		return nil, err
	}
	r.Attempt = write.NewAttempt(t, env, r.Schema)
	r.Stands, err = r.openStandIns()
	return r, err
}

func closureOf(ctx context.Context, env *exec.Env, m *exec.Mapping) (*identity.Closure, error) {
	if m == nil {
		return nil, nil
	}
	return env.Mappings.Closure(ctx, m.Ref)
}

// Canon is the mapping that the table will stand at.
func (r *Run) Canon(raw int64) int64 { return r.NewMapping.Canon(raw) }
