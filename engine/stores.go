package engine

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/lake"
	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/local"
	"reconcile/state/remote"
)

// sourceGrace is how long a listed file on S3 may take to appear.
const sourceGrace = 3 * time.Second

// openStores opens the source and the declared sinks.
func (e *Engine) openStores(ctx context.Context) error {
	src := e.cfg.Source
	st, err := e.stores.Open(ctx, src.Path, src.S3, sourceGrace)
	if err != nil {
		return fmt.Errorf("source %s: %w", src.Path, err)
	}
	o := dump.Options{Manifests: src.Manifests, Bucket: src.ManifestBucket, Dated: src.S3 == nil, Literal: src.S3 != nil,
		Settle: cmp.Or(e.opts.Tuning.Settle, blob.DefaultSettle)}
	if src.S3 != nil {
		o.Prefix = src.S3.Prefix
	}
	e.source = dump.Open(st, o)
	e.home = &lake.Home{Dir: e.cfg.Dir, Lost: e.opts.StatesLost, Open: e.stateAt}
	e.declared = &lake.Declared{Sinks: e.cfg.Sinks, Dir: e.cfg.Dir, Lost: e.opts.SinksLost}
	e.lake = lake.New(lake.Options{Declared: e.declared, Home: e.home,
		Store: func(ctx context.Context, root string, c *config.S3) (blob.Store, error) {
			return e.stores.Open(ctx, root, c, 0)
		},
		CreatedBy: "reconcile " + e.opts.Program, RowGroup: e.opts.Tuning.GroupRows})
	return e.lake.OpenDeclared(ctx)
}

// openState opens the state, which is looked at later.
func (e *Engine) openState(ctx context.Context) (err error) {
	t := e.opts.Tuning
	switch {
	case t.State != nil:
		e.store = e.remoteState(t.State)
	case e.cfg.StateS3 == nil:
		e.store = local.Open(e.cfg.StatePath, local.Options{Program: e.opts.Program, InlineLimit: t.Inline})
	default:
		e.store, err = e.openRemoteState(ctx, e.cfg.StatePath, e.cfg.StateS3)
	}
	return err
}

// openRemoteState opens the state in a folder of a bucket.
func (e *Engine) openRemoteState(ctx context.Context, place string, c *config.S3) (*state.Store, error) {
	st, err := e.stores.Open(ctx, place, c, 0)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", place, err)
	}
	return e.remoteState(st), nil
}

// remoteState is the state in an object store.
func (e *Engine) remoteState(st blob.Store) *state.Store {
	t := e.opts.Tuning
	return remote.Open(st, remote.Options{Program: e.opts.Program, InlineLimit: t.Inline, Cache: e.cfg.CacheDir,
		TTL: t.Lease.TTL, Margin: t.Lease.Margin, Day: t.Lease.Day, Clock: t.Lease.Clock})
}
