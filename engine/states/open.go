package states

import (
	"context"
	"fmt"
	"strings"
	"time"

	"reconcile/config"
	"reconcile/engine/lake"
	"reconcile/engine/stores"
	"reconcile/internal/blob"
	"reconcile/state"
	"reconcile/state/backup"
	"reconcile/state/local"
	"reconcile/state/remote"
)

// Opener opens the states that a configuration leads to.
type Opener struct {
	Config   *config.Config
	Declared *lake.Declared
	Stores   *stores.Opener
	Program  string // its version, which the state notes
	// Format is that of the states that are written; the zero value stands for that of the
	// program.
	Format state.Format
	Inline int // bytes up to which objects stay inside a state; 0 for the default
	Lease  Lease
}

// Lease is about the lease of a state on S3. Zero values stand for the defaults.
type Lease struct {
	TTL    time.Duration // how long it lasts without renewal
	Margin time.Duration // what a waiter adds
	Day    time.Duration // how long what readers may still need stays
	Clock  remote.Clock  `json:"-"` // of the holder
}

// Open opens the state of the configuration, which is looked at later.
func (o *Opener) Open(ctx context.Context) (*state.Store, error) {
	if o.Config.StateS3 == nil {
		return o.local(o.Config.StatePath), nil
	}
	return o.remote(ctx, o.Config.StatePath, o.Config.StateS3)
}

// At opens the state at another place than the configuration's. One on S3 is reached as
// the configured one or, if that is a file, as a sink.
func (o *Opener) At(ctx context.Context, place string) (*state.Store, error) {
	if !strings.HasPrefix(place, "s3://") {
		return o.local(place), nil
	}
	c := o.Declared.S3Of(place)
	if o.Config.StateS3 != nil {
		like := *o.Config.StateS3
		like.Bucket, like.Prefix = c.Bucket, c.Prefix
		c = &like
	}
	return o.remote(ctx, place, c)
}

func (o *Opener) local(path string) *state.Store {
	return keeping(local.Open(path, local.Options{Program: o.Program, Format: o.Format, InlineLimit: o.Inline}))
}

// remote opens the state in a folder of a bucket.
func (o *Opener) remote(ctx context.Context, place string, c *config.S3) (*state.Store, error) {
	st, err := o.Stores.Open(ctx, place, c, 0)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", place, err)
	}
	return o.In(st), nil
}

// In opens the state in an object store.
func (o *Opener) In(st blob.Store) *state.Store {
	return keeping(remote.Open(st, remote.Options{Program: o.Program, Format: o.Format, InlineLimit: o.Inline, Cache: o.Config.CacheDir,
		TTL: o.Lease.TTL, Margin: o.Lease.Margin, Day: o.Lease.Day, Clock: o.Lease.Clock}))
}

// keeping has a state backed up, beside itself, before its format is raised.
func keeping(s *state.Store) *state.Store {
	s.BeforeRaise = func(ctx context.Context) (string, error) {
		res, err := backup.BeforeChange(ctx, s)
		if err != nil || res == nil {
			return "", err
		}
		return res.Place, nil
	}
	return s
}

// backups opens a place for backups. A bucket is reached as the state's own is, else as a
// sink in it, else as the SDK finds.
func (o *Opener) backups(ctx context.Context, p config.Place) (blob.Store, error) {
	c := p.S3
	if c != nil {
		like := config.S3{}
		if own := o.Config.StateS3; own != nil {
			like = *own
		} else {
			for _, s := range o.Config.Sinks {
				if s.S3 != nil && s.S3.Bucket == c.Bucket {
					like = *s.S3
					break
				}
			}
		}
		like.Bucket, like.Prefix = c.Bucket, c.Prefix
		c = &like
	}
	st, err := o.Stores.Open(ctx, p.Path, c, 0)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", p.Path, err)
	}
	return st, nil
}
