package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob"
)

// RemoveLeftovers aborts the multipart uploads below a prefix and where objects are moved to,
// and removes what probes left below the prefix.
func (s *Store) RemoveLeftovers(ctx context.Context, o blob.Leftovers) error {
	for _, prefix := range append([]string{o.Prefix}, o.Moved...) {
		if err := blob.CheckPrefix(prefix); err != nil {
			return fmt.Errorf("tidy up in %s: %w", s.Root(), err)
		}
	}
	s.probing.Lock() // what a probe under way makes is no leftover
	defer s.probing.Unlock()
	s.mu.Lock()
	for w := range s.open {
		if blob.Under(w.key, o.Prefix) && !o.Protects(w.key) {
			w.dead.Store(true)
		}
	}
	s.mu.Unlock()
	listed, mine := o.Prefix, func(key string) bool { return blob.Under(key, o.Prefix) }
	if len(o.Moved) > 0 { // one listing of all is cheaper than one of each
		listed, mine = "", blob.Below(append([]string{o.Prefix}, o.Moved...)...)
	}
	if err := s.abortAt(ctx, listed, func(key string) bool { return mine(key) && !o.Protects(key) }); err != nil {
		return err
	}
	l := s.lister("tidy up", o.Prefix)
	if err := l.all(ctx); err != nil {
		return err
	}
	for _, key := range l.temp {
		if o.Protects(key) {
			continue
		}
		if err := s.remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// abortAt aborts the multipart uploads of the keys at and below a prefix that match.
func (s *Store) abortAt(ctx context.Context, prefix string, match func(key string) bool) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.o.Bucket, Prefix: aws.String(s.full(prefix))}
	c := call{op: "ListMultipartUploads", doing: "list the multipart uploads of", place: s.place(prefix), arn: s.bucketARN()}
	for {
		out, err := s.api.ListMultipartUploads(ctx, in)
		if err != nil {
			return none(explain(ctx, c, err))
		}
		for _, u := range out.Uploads {
			key, mine := s.relative(aws.ToString(u.Key))
			if !mine || !match(key) {
				continue
			}
			if err := s.abort(ctx, key, u.UploadId); err != nil {
				return err
			}
		}
		if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextKeyMarker) == "" {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}

// relative is a key of the bucket as a key of the store, if it is one.
func (s *Store) relative(key string) (string, bool) {
	if s.o.Prefix == "" {
		return key, true
	}
	return strings.CutPrefix(key, s.o.Prefix+"/")
}

// none takes the answers of servers that have no uploads to list for what they
// are.
func none(err error) error {
	var e *Error
	if errors.Is(err, blob.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) || errors.As(err, &e) && e.Code == "NoSuchUpload" {
		return nil
	}
	return err
}
