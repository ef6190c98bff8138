package engine

import (
	"context"
	"errors"

	"reconcile/engine/commit"
	"reconcile/engine/planner"
	"reconcile/state"
)

// Recover finishes what an earlier apply committed and did not make visible.
// Every apply does this before it plans. A commit whose sink fails stays for the
// next apply; its table is held. One in a sink that is to be forgotten is
// finished when that is done. Where there was nothing to finish, the plan that
// follows goes by the state as it was loaded here.
func (e *Engine) Recover(ctx context.Context, l *state.Lock) (tables []string, err error) {
	snap, err := e.declared.Load(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	leaving, err := e.sinksLeaving(ctx, snap)
	if err != nil {
		return nil, err
	}
	if len(snap.Publishes) == 0 {
		e.loaded = snap
		return nil, nil
	}
	if err := e.lake.CheckHome(ctx, snap); err != nil {
		return nil, err
	}
	return commit.New(l, e.commits()).Recover(ctx, snap, leaving)
}

// sinksLeaving tells of which tables a sink is to be forgotten, or known at another
// place.
func (e *Engine) sinksLeaving(ctx context.Context, snap *state.Snapshot) (map[string]bool, error) {
	p := &planner.Session{Planner: e.planner()}
	moving, _, err := planner.SinksToMove(p, snap)
	if err != nil {
		return nil, err
	}
	forgetting, _, err := planner.SinksToForget(p, snap)
	if err != nil {
		return nil, err
	}
	out, roots := map[string]bool{}, map[string]bool{}
	leave := func(tables []string, at ...string) {
		for _, name := range tables {
			out[name] = true
		}
		for _, root := range at {
			roots[root] = true
		}
	}
	for _, m := range moving {
		leave(m.Tables, m.From, m.To)
	}
	for _, f := range forgetting {
		leave(f.Tables, f.Root)
	}
	return out, planner.CheckMovedLists(ctx, p, snap, roots)
}
