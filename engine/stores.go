package engine

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
	"reconcile/state"
)

// sourceGrace is how long a listed file on S3 may take to appear.
const sourceGrace = 3 * time.Second

// openStores opens the source and the declared sinks.
func (e *Engine) openStores(ctx context.Context) error {
	src := e.cfg.Source
	st, err := e.openStore(ctx, src.Path, src.S3, sourceGrace)
	if err != nil {
		return fmt.Errorf("source %s: %w", src.Path, err)
	}
	o := dump.Options{Manifests: src.Manifests, Bucket: src.ManifestBucket, Dated: src.S3 == nil, Literal: src.S3 != nil,
		Settle: cmp.Or(e.opts.Tuning.Settle, blob.DefaultSettle)}
	if src.S3 != nil {
		o.Prefix = src.S3.Prefix
	}
	e.source = dump.Open(st, o)
	e.openPlace = func(root string) (blob.Store, error) { return e.openStore(ctx, root, e.s3Of(root), 0) }
	for _, s := range e.cfg.Sinks {
		if _, err := e.openSink(s.Path, s.Compression); err != nil {
			return err
		}
	}
	return nil
}

// openState opens the state, which is looked at later.
func (e *Engine) openState(ctx context.Context) (err error) {
	t := e.opts.Tuning
	switch {
	case t.State != nil:
		e.store = e.remoteState(t.State)
	case e.cfg.StateS3 == nil:
		e.store = state.Open(e.cfg.StatePath, state.Options{Program: e.opts.Program, InlineLimit: t.Inline})
	default:
		e.store, err = e.openRemoteState(ctx, e.cfg.StatePath, e.cfg.StateS3)
	}
	return err
}

// openRemoteState opens the state in a folder of a bucket.
func (e *Engine) openRemoteState(ctx context.Context, place string, c *config.S3) (*state.Store, error) {
	st, err := e.openStore(ctx, place, c, 0)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", place, err)
	}
	return e.remoteState(st), nil
}

// remoteState is the state in an object store.
func (e *Engine) remoteState(st blob.Store) *state.Store {
	t := e.opts.Tuning
	return state.OpenRemote(st, state.RemoteOptions{Program: e.opts.Program, InlineLimit: t.Inline, Cache: e.cfg.CacheDir,
		TTL: t.Lease.TTL, Margin: t.Lease.Margin, Day: t.Lease.Day, Clock: t.Lease.Clock})
}

// s3Of says how a sink's root on S3 is reached: as its declaration says, or,
// when the configuration no longer has it, as that of another sink, first of
// one in the same bucket. It is nil for a folder.
func (e *Engine) s3Of(root string) *config.S3 {
	rest, ok := strings.CutPrefix(root, "s3://")
	if !ok {
		return nil
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	var like *config.S3
	for _, s := range e.cfg.Sinks {
		switch {
		case s.S3 == nil:
		case s.Path == root:
			return s.S3
		case like == nil || like.Bucket != bucket && s.S3.Bucket == bucket:
			like = s.S3
		}
	}
	out := config.S3{}
	if like != nil {
		out = *like
	}
	out.Bucket, out.Prefix = bucket, prefix
	return &out
}

// openStore opens a folder, or with c a folder in a bucket.
func (e *Engine) openStore(ctx context.Context, place string, c *config.S3, grace time.Duration) (blob.Store, error) {
	if c == nil {
		l, err := blob.NewLocal(place)
		if err != nil {
			return nil, err
		}
		l.Settle = e.opts.Tuning.Settle
		return l, nil
	}
	o := s3blob.Options{
		Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, Endpoint: c.Endpoint, ForcePathStyle: c.ForcePathStyle,
		Profile: c.Profile, RoleARN: c.RoleARN, ExternalID: c.ExternalID, SessionName: c.SessionName, Grace: grace,
		Write: s3blob.Write{SSE: c.SSE, KMSKeyID: c.KMSKeyID, BucketKey: c.BucketKey, ACL: c.ACL,
			StorageClass: c.StorageClass, Tags: c.Tags, Checksum: c.Checksum},
	}
	if e.opts.Tuning.S3 != nil {
		e.opts.Tuning.S3(&o)
	}
	st, err := s3blob.New(ctx, o)
	if err != nil {
		return nil, err
	}
	e.remote = append(e.remote, st)
	return st, nil
}

// Traffic is what a place on S3 was asked for.
type Traffic struct {
	Place    string
	Total    int64 // every attempt counts, as it does on the bill
	Requests map[string]int64
	Received int64 // of content
	Sent     int64
}

// Traffic returns what the engine has cost so far, by place: the source first,
// then sinks.
func (e *Engine) Traffic() []Traffic {
	var out []Traffic
	for _, st := range e.remote {
		s := st.Stats()
		if n := s.Total(); n > 0 {
			out = append(out, Traffic{Place: st.Root(), Total: n, Requests: s.Requests, Received: s.Read, Sent: s.Written})
		}
	}
	return out
}
