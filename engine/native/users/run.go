package users

import (
	"context"

	"reconcile/engine/native/pass"
)

// usersTable brings the users to their new state.
func usersTable(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	if r.Redelivery != nil {
		return redelivered(ctx, r)
	}
	if r.Task.Permitted.Delta {
		c, fits, err := deltaUsers(ctx, r)
		if err != nil || fits {
			return c, err
		}
	}
	return allUsers(ctx, r)
}

// Run brings the users to their new state, in the way that fits.
func Run(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	if r.Task.StandIns != nil {
		return stoodIn(ctx, r)
	}
	return usersTable(ctx, r)
}
