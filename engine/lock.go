package engine

import (
	"context"

	"reconcile/state"
)

// Lock takes the state for writing. The caller unlocks it.
func (e *Engine) Lock(ctx context.Context, command string) (*state.Lock, error) {
	return e.store.Lock(ctx, state.NewHolder(command), e.opts.LockTimeout)
}
