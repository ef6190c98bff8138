package engine

import (
	"context"

	"reconcile/state"
)

// Lock takes the state for writing. The caller unlocks it.
func (e *Engine) Lock(ctx context.Context, command string) (*state.Lock, error) {
	return e.store.Lock(ctx, state.NewHolder(command), e.opts.LockTimeout)
}

// LockStatus says who has the lock of the state. It changes nothing.
func (e *Engine) LockStatus(ctx context.Context) (*state.LockStatus, error) {
	return e.store.LockStatus(ctx)
}

// ForceUnlock takes the lock with this ID from its holder, as state.Backend says.
func (e *Engine) ForceUnlock(ctx context.Context, id string) error {
	return e.store.ForceUnlock(ctx, id)
}
