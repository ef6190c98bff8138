package enginetest

import (
	"bytes"
	"context"
	"errors"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
	"reconcile/internal/errclass"
	"reconcile/state"
)

// Engine is what an apply needs of the engine. R is what it returns.
type Engine[R any] interface {
	Lock(ctx context.Context, command string) (*state.Lock, error)
	Recover(ctx context.Context, l *state.Lock) (tables []string, err error)
	PlanLocked(ctx context.Context, l *state.Lock) (*planner.Session, error)
	Apply(ctx context.Context, l *state.Lock, p *planner.Session) (R, error)
}

// Apply is what the command does: lock, recover, plan, apply. The engine was not used
// before. That the apply changed its plan is an error.
func Apply[R any](ctx context.Context, e Engine[R]) (res R, err error) {
	l, err := e.Lock(ctx, "test")
	if err != nil {
		return res, err
	}
	ctx = l.Context(ctx)
	defer func() {
		lost := context.Cause(ctx)
		if err != nil && errclass.Of(lost) != errclass.LeaseLost {
			lost = l.Lost()
		}
		err = errors.Join(err, l.Unlock())
		if errclass.Of(lost) == errclass.LeaseLost && !errors.Is(err, state.ErrUnknownOutcome) {
			err = errors.Join(lost, err)
		}
	}()
	if _, err := e.Recover(ctx, l); err != nil {
		return res, err
	}
	p, err := e.PlanLocked(ctx, l)
	if err != nil {
		return res, err
	}
	defer p.Close()
	before, err := encoded(p)
	if err != nil {
		return res, err
	}
	res, err = e.Apply(ctx, l, p)
	after, encodeErr := encoded(p)
	if encodeErr != nil || !bytes.Equal(before, after) {
		err = errors.Join(err, encodeErr, errors.New("the apply changed its plan"))
	}
	return res, err
}

func encoded(p *planner.Session) ([]byte, error) {
	var b bytes.Buffer
	err := plan.Encode(&b, &p.Plan)
	return b.Bytes(), err
}
