package states

import (
	"context"
	"time"

	"reconcile/config"
	"reconcile/engine/commit"
	"reconcile/engine/lake"
	"reconcile/state"
)

// Keeper carries out what commands do with the state of a configuration.
type Keeper struct {
	Config *config.Config
	Store  *state.Store
	Opener *Opener
	Home   *lake.Home
	Lake   *lake.Lake
	// Wait is how long is waited for the lock.
	Wait time.Duration
}

// LockOver takes the state for replacing it, damaged or not. The caller unlocks it.
func (k *Keeper) LockOver(ctx context.Context, command string) (*state.Lock, error) {
	return k.Store.LockOver(ctx, state.NewHolder(command), k.Wait)
}

// LockStatus says who has the lock of the state. It changes nothing.
func (k *Keeper) LockStatus(ctx context.Context) (*state.LockStatus, error) {
	return k.Store.LockStatus(ctx)
}

// ForceUnlock takes the lock with this ID from its holder, as state.Backend says.
func (k *Keeper) ForceUnlock(ctx context.Context, id string) error {
	return k.Store.ForceUnlock(ctx, id)
}

// announcer writes what current.json says.
func (k *Keeper) announcer(l *state.Lock) *commit.Announcer {
	return commit.NewAnnouncer(l, commit.Options{Lake: k.Lake, Home: k.Home})
}
