// Package stores opens the places that a configuration names: folders, and folders in
// buckets. It counts what those on S3 were asked for, and never decides what a place
// is for.
package stores

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"reconcile/config"
	"reconcile/engine/dump"
	"reconcile/internal/blob"
	"reconcile/internal/blob/s3blob"
)

// Opener opens stores. One goroutine uses it at a time; the stores that it gives are for
// several.
type Opener struct {
	// Settle is how long ago a folder must have changed for its times to be trusted; 0
	// stands for the default.
	Settle time.Duration
	// Transfers says how much of objects on S3 is in memory; the zero value stands for the
	// defaults.
	Transfers Transfers
	// S3 changes how stores on S3 are reached; nil for nothing.
	S3 func(*s3blob.Options)

	mu     sync.Mutex
	remote []*s3blob.Store
}

// RoundTrip is how long requests to a place took so far that have no content, on average; 0 of a
// folder. Several goroutines may ask.
func (o *Opener) RoundTrip(place string) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, st := range o.remote {
		if st.Root() == place {
			return st.RoundTrip()
		}
	}
	return 0
}

// Transfers is how much is in memory of each object that is written to S3 or read from it.
type Transfers struct {
	Part      int // bytes of a part that is filled or sent
	Parts     int // those that are sent at a time
	ReadAhead int // bytes that are read at once
}

// Open opens a folder, or with c a folder in a bucket. grace is how long a listed object
// there may take to appear.
func (o *Opener) Open(ctx context.Context, place string, c *config.S3, grace time.Duration) (blob.Store, error) {
	if c == nil {
		l, err := blob.NewLocal(place)
		if err != nil {
			return nil, err
		}
		l.Settle = o.Settle
		return l, nil
	}
	s3 := s3blob.Options{
		Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, Endpoint: c.Endpoint, ForcePathStyle: c.ForcePathStyle,
		Profile: c.Profile, RoleARN: c.RoleARN, ExternalID: c.ExternalID, SessionName: c.SessionName, Grace: grace,
		Write: s3blob.Write{SSE: c.SSE, KMSKeyID: c.KMSKeyID, BucketKey: c.BucketKey, ACL: c.ACL,
			StorageClass: c.StorageClass, Tags: c.Tags, Checksum: c.Checksum},
	}
	s3.PartSize, s3.PartsAtOnce, s3.ReadAhead = int64(o.Transfers.Part), o.Transfers.Parts, o.Transfers.ReadAhead
	if o.S3 != nil {
		o.S3(&s3)
	}
	st, err := s3blob.New(ctx, s3)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remote = append(o.remote, st)
	return st, nil
}

// sourceGrace is how long a listed file on S3 may take to appear.
const sourceGrace = 3 * time.Second

// Source opens the source, with options that say how much memory its manifests may take. It
// reads nothing.
func (o *Opener) Source(ctx context.Context, src config.Source, d dump.Options) (*dump.Source, error) {
	st, err := o.Open(ctx, src.Path, src.S3, sourceGrace)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", src.Path, err)
	}
	d.Manifests, d.Bucket, d.Prefix = src.Manifests, src.ManifestBucket, src.ManifestPrefix
	d.Dated, d.Literal, d.Settle = src.S3 == nil, src.S3 != nil, cmp.Or(o.Settle, blob.DefaultSettle)
	return dump.Open(st, d), nil
}

// Traffic is what a place on S3 was asked for.
type Traffic struct {
	Place    string
	Total    int64 // every attempt counts, as it does on the bill
	Requests map[string]int64
	Received int64 // of content
	Sent     int64
}

// Traffic returns what the stores were asked for so far, in the order in which they were
// opened. Those that were asked for nothing are left out.
func (o *Opener) Traffic() []Traffic {
	var out []Traffic
	for _, st := range o.remote {
		s := st.Stats()
		if n := s.Total(); n > 0 {
			out = append(out, Traffic{Place: st.Root(), Total: n, Requests: s.Requests, Received: s.Read, Sent: s.Written})
		}
	}
	return out
}
