package engine

import (
	"context"
	"strings"

	"reconcile/state"
	"reconcile/state/local"
)

// stateAt opens the state at another place than the configuration's. One on S3 is reached
// as the configured one or, if that is a file, as a sink.
func (e *Engine) stateAt(ctx context.Context, place string) (*state.Store, error) {
	t := e.opts.Tuning
	if !strings.HasPrefix(place, "s3://") {
		return local.Open(place, local.Options{Program: e.opts.Program, InlineLimit: t.Inline}), nil
	}
	c := e.declared.S3Of(place)
	if e.cfg.StateS3 != nil {
		like := *e.cfg.StateS3
		like.Bucket, like.Prefix = c.Bucket, c.Prefix
		c = &like
	}
	return e.openRemoteState(ctx, place, c)
}
