package events

import (
	"context"
	"errors"

	"reconcile/engine/native/pass"
)

// Run brings a table of events to its new state, in the way that fits.
func Run(ctx context.Context, r *pass.Run) (_ *pass.Outcome, err error) {
	in := newIntake(r)
	defer func() { err = errors.Join(err, in.close()) }()
	if err := r.ReadFiles(ctx, in.Ingest); err != nil {
		return nil, err
	}
	if in.fits() {
		if c, err := delta(ctx, r, in.Ingest); !errors.Is(err, errManyContested) {
			return c, err
		}
		if err := in.judgeAll(); err != nil {
			return nil, err
		}
	}
	return bulk(ctx, r, in)
}
