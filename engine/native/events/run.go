package events

import (
	"context"

	"reconcile/engine/native/pass"
)

// Run brings a table of events to its new state, in the way that fits.
func Run(ctx context.Context, r *pass.Run) (*pass.Outcome, error) {
	if r.Task.Permitted.Delta {
		c, fits, err := delta(ctx, r)
		if err != nil || fits {
			return c, err
		}
	}
	return bulk(ctx, r)
}
