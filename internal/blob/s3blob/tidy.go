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

// Tidy aborts the multipart uploads below a prefix and removes what probes left
// there.
func (s *Store) Tidy(ctx context.Context, prefix string, spare []string) error {
	if err := blob.CheckPrefix(prefix); err != nil {
		return fmt.Errorf("tidy up in %s: %w", s.Root(), err)
	}
	s.probing.Lock() // what a probe under way makes is no leftover
	defer s.probing.Unlock()
	s.mu.Lock()
	for w := range s.open {
		if blob.Under(w.key, prefix) && !blob.Spared(w.key, spare) {
			w.dead.Store(true)
		}
	}
	s.mu.Unlock()
	if err := s.abortAt(ctx, prefix, spare); err != nil {
		return err
	}
	l := s.lister("tidy up", prefix)
	if err := l.all(ctx); err != nil {
		return err
	}
	for _, key := range l.temp {
		if blob.Spared(key, spare) {
			continue
		}
		if err := s.remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// abortAt aborts the multipart uploads at and below a prefix.
func (s *Store) abortAt(ctx context.Context, prefix string, spare []string) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.o.Bucket, Prefix: aws.String(s.full(prefix))}
	c := call{op: "ListMultipartUploads", doing: "list the multipart uploads of", place: s.place(prefix), arn: s.bucketARN()}
	for {
		out, err := s.api.ListMultipartUploads(ctx, in)
		if err != nil {
			return none(explain(ctx, c, err))
		}
		for _, u := range out.Uploads {
			key, mine := s.relative(aws.ToString(u.Key))
			if !mine || !blob.Under(key, prefix) || blob.Spared(key, spare) {
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
