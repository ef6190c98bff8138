package engine

import (
	"context"
	"os"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/engine/health"
	"reconcile/engine/inspect"
	"reconcile/engine/lake"
	"reconcile/engine/rescued"
	"reconcile/engine/states"
	"reconcile/internal/blob"
)

// newPlaces says where the state and the sinks are, and opens none of them.
func (e *Engine) newPlaces() *states.Opener {
	e.declared = &lake.Declared{Sinks: e.cfg.Sinks, Dir: e.cfg.Dir, Lost: e.opts.SinksLost}
	opener := &states.Opener{Config: e.cfg, Declared: e.declared, Stores: e.stores, Program: e.opts.Program,
		Format: e.opts.Tuning.Format, Inline: e.opts.Tuning.Inline, Lease: e.opts.Tuning.Lease}
	e.home = &lake.Home{Dir: e.cfg.Dir, Lost: e.opts.StatesLost, Open: opener.At}
	e.lake = lake.New(lake.Options{Declared: e.declared, Home: e.home,
		Store: func(ctx context.Context, root string, c *config.S3) (blob.Store, error) {
			return e.stores.Open(ctx, root, c, 0)
		},
		CreatedBy: "reconcile " + e.opts.Program, RowGroup: e.opts.Tuning.GroupRows, Batch: e.limits.Budget.FileRowGroup()})
	return opener
}

// openStores opens the source and the declared sinks.
func (e *Engine) openStores(ctx context.Context) error {
	var err error
	o := dump.Options{Manifest: e.limits.Budget.Manifest(), Temp: func() (*os.File, error) { return e.scratch().Unnamed() }}
	if e.source, err = e.stores.Source(ctx, e.cfg.Source, o); err != nil {
		return err
	}
	return e.lake.OpenDeclared(ctx)
}

// tagged reports whether the pins of the source are ETags.
func (e *Engine) tagged() bool { return e.cfg.Source.S3 != nil }

// openState opens the state, which is looked at later.
func (e *Engine) openState(ctx context.Context, o *states.Opener) (err error) {
	if in := e.opts.Tuning.State; in != nil {
		e.store = o.In(in)
	} else if e.store, err = o.Open(ctx); err != nil {
		return err
	}
	e.home.Place = e.store.Place()
	e.keeper = &states.Keeper{Config: e.cfg, Store: e.store, Opener: o, Home: e.home, Lake: e.lake, Wait: e.opts.LockTimeout}
	return nil
}

// Inspect shows what the state says.
func (e *Engine) Inspect() *inspect.Reader {
	return &inspect.Reader{Config: e.cfg, Store: e.store, Declared: e.declared}
}

// Health judges how syncs and applies are doing.
func (e *Engine) Health() *health.Reader {
	return &health.Reader{Ask: e.ask, Source: e.source, Store: e.store}
}

// States carries out what commands do with the state as a whole.
func (e *Engine) States() *states.Keeper { return e.keeper }

// Rescued counts what the tables of an engine could not take as it was delivered.
func Rescued(e *Engine) *rescued.Reader { return &rescued.Reader{Inspect: e.Inspect(), Lake: e.lake} }
