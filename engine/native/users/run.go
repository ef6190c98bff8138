package users

import (
	"context"
	"errors"

	"reconcile/engine/native/pass"
)

// usersTable brings the users to their new state. What is delivered is read once, whichever
// way is taken then.
func usersTable(ctx context.Context, r *pass.Run) (_ *pass.Outcome, err error) {
	if r.Redelivery != nil {
		return redelivered(ctx, r)
	}
	ing := r.NewIngest(r.Schema.AsKept())
	defer func() { err = errors.Join(err, ing.Close()) }()
	delta := r.Task.Permitted.Delta && !keptAgain(r) && !r.TakesAgain()
	if delta {
		ing.Limits.Budget = r.Env.Limits.Budget.UsersDelta()
	}
	if err := r.ReadFiles(ctx, ing); err != nil {
		return nil, err
	}
	if delta {
		c, fits, err := deltaUsers(ctx, r, ing)
		if err != nil || fits {
			return c, err
		}
	}
	ing.Limits.Budget = r.Env.Limits.Budget
	return allUsers(ctx, r, ing)
}

// Run brings the users to their new state, in the way that fits.
func Run(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	if r.Task.StandIns != nil {
		return stoodIn(ctx, r)
	}
	return usersTable(ctx, r)
}
