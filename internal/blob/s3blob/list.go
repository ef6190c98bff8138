package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/internal/blob"
)

// List returns all objects below a prefix. Objects whose keys no store takes
// (as a//b) are listed as they are, so that nothing is overlooked; the empty
// objects with which some programs mark folders are not.
func (s *Store) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter is List without the keys up to and including after. Nothing behind
// it is no error as long as after is not empty.
func (s *Store) ListAfter(ctx context.Context, prefix, after string) ([]blob.Object, error) {
	if err := blob.CheckPrefix(prefix); err != nil {
		return nil, fmt.Errorf("list in %s: %w", s.Root(), err)
	}
	l := s.lister("list", prefix)
	if after != "" {
		l.in.StartAfter = aws.String(s.full(after))
	}
	if err := l.all(ctx); err != nil {
		return nil, err
	}
	if len(l.list) == 0 && !l.marked && after == "" {
		return nil, &Error{Doing: l.c.doing, Place: l.c.place, Reason: "there is no such folder", kind: fs.ErrNotExist}
	}
	if !slices.IsSortedFunc(l.list, byKey) {
		slices.SortFunc(l.list, byKey)
	}
	return l.list, nil
}

// ListRange returns the objects whose keys lie between two, which need not exist and
// are left out, sorted by key; nothing there is no error. What lies behind the second
// one costs nothing.
func (s *Store) ListRange(ctx context.Context, after, before string) ([]blob.Object, error) {
	if err := errors.Join(blob.CheckKey(after), blob.CheckKey(before)); err != nil {
		return nil, fmt.Errorf("list in %s: %w", s.Root(), err)
	}
	l := s.lister("list", "")
	l.in.StartAfter, l.before = aws.String(s.full(after)), s.full(before)
	if err := l.all(ctx); err != nil {
		return nil, err
	}
	return l.list, nil
}

func byKey(a, b blob.Object) int { return strings.Compare(a.Key, b.Key) }

// lister lists what is below a prefix.
type lister struct {
	s      *Store
	c      call
	in     *s3.ListObjectsV2Input
	list   []blob.Object
	marked bool     // there is an object that marks a folder
	temp   []string // keys of what is not an object yet
	last   string
	before string // where to end, empty for everywhere
}

func (s *Store) lister(doing, prefix string) *lister {
	in := &s3.ListObjectsV2Input{Bucket: &s.o.Bucket, EncodingType: types.EncodingTypeUrl}
	if dir := s.full(prefix); dir != "" {
		in.Prefix = aws.String(dir + "/")
	}
	if s.o.ListPage > 0 {
		in.MaxKeys = aws.Int32(s.o.ListPage)
	}
	c := call{op: "ListObjectsV2", doing: doing, place: s.place(prefix), arn: s.bucketARN()}
	return &lister{s: s, c: c, in: in}
}

// all asks for page after page. A page that says it is not the last and does
// not say how to go on must not end the listing in silence.
func (l *lister) all(ctx context.Context) error {
	for {
		out, err := l.s.api.ListObjectsV2(ctx, l.in)
		if err != nil {
			return explain(ctx, l.c, err)
		}
		before := l.last
		if err := l.page(out); err != nil {
			return err
		}
		l.s.sawBucket()
		if !aws.ToBool(out.IsTruncated) || l.ended(l.last) {
			return nil
		}
		l.in.ContinuationToken = out.NextContinuationToken
		if aws.ToString(out.NextContinuationToken) == "" {
			if l.last == before {
				return &Error{Doing: l.c.doing, Place: l.c.place, Reason: "the server says that there is more and does not say where"}
			}
			l.in.StartAfter = aws.String(l.last)
		}
	}
}

func (l *lister) ended(key string) bool { return l.before != "" && key >= l.before }

func (l *lister) page(out *s3.ListObjectsV2Output) error {
	for _, o := range out.Contents {
		key := aws.ToString(o.Key)
		if out.EncodingType == types.EncodingTypeUrl {
			k, err := url.QueryUnescape(key)
			if err != nil {
				return &Error{Doing: l.c.doing, Place: l.c.place, Reason: fmt.Sprintf("the server sends the key %q, which is not encoded as it says", key)}
			}
			key = k
		}
		if l.last = key; l.ended(key) {
			return nil
		}
		rel := key
		if l.s.o.Prefix != "" {
			rel = strings.TrimPrefix(key, l.s.o.Prefix+"/")
		}
		switch {
		case strings.HasSuffix(key, "/") && aws.ToInt64(o.Size) == 0:
			l.marked = true
		case blob.IsTemp(rel):
			l.temp = append(l.temp, rel)
		default:
			l.list = append(l.list, blob.Object{Key: rel, Size: aws.ToInt64(o.Size), Pin: pin(o.ETag), ModTime: instant(o.LastModified)})
		}
	}
	return nil
}
