// Package s3blob is a blob.Store in a bucket of S3 or of a server that speaks
// its protocol.
//
// It promises what package blob does, with these means: an object is pinned by
// its ETag and every ranged read demands it; a write is one PUT or one
// completed multipart upload, which become visible at once, with checksums; a
// move is a copy by the server, then the removal of the source. Conditions are
// left to the server, and what a server really keeps is tried out before it is
// relied on: see Capabilities. All requests are tried again with back-off, and
// each write bears a token of its own, so that one whose answer was lost is
// recognised and not taken for somebody else's.
//
// It never makes objects that stand for folders, never touches another prefix
// than its own, and never removes a multipart upload of somebody else: those
// at the keys and below the prefixes that it is told about are its own.
package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"reconcile/internal/blob"
)

// Store is a blob.Store in S3.
type Store struct {
	o      Options
	api    *s3.Client
	count  counter
	server contact
	region string
	// attempts is how often a request is tried.
	attempts int
	// algorithm is that of the checksums of what is written, empty for none.
	algorithm types.ChecksumAlgorithm
	// slots limits the requests that move content.
	slots chan struct{}
	caps  [capabilities]capability
	// probing is held while a probe is under way.
	probing sync.Mutex
	grace   grace

	mu     sync.Mutex
	bucket bool // the bucket was seen
	open   map[*writer]struct{}
}

var _ blob.Store = (*Store)(nil)

// New returns the store that the options describe. It sends no request.
func New(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{o: o, slots: make(chan struct{}, o.Concurrency), open: map[*writer]struct{}{}}
	s.grace.left = 4 * o.Grace
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Root(), err)
	}
	return s, nil
}

// Root returns the URL of the bucket or of the folder in it.
func (s *Store) Root() string {
	if s.o.Prefix == "" {
		return "s3://" + s.o.Bucket
	}
	return "s3://" + s.o.Bucket + "/" + s.o.Prefix
}

// place is the URL of a key.
func (s *Store) place(key string) string {
	if key == "" {
		return s.Root()
	}
	return s.Root() + "/" + key
}

// full is a key or prefix as the bucket has it.
func (s *Store) full(key string) string {
	if key == "" {
		return s.o.Prefix
	}
	return blob.Join(s.o.Prefix, key)
}

// bucketARN names the bucket as policies do.
func (s *Store) bucketARN() string {
	if strings.HasPrefix(s.o.Bucket, "arn:") {
		return s.o.Bucket
	}
	partition := "aws"
	for _, p := range []string{"cn", "us-gov"} {
		if strings.HasPrefix(s.region, p+"-") {
			partition += "-" + p
		}
	}
	return "arn:" + partition + ":s3:::" + s.o.Bucket
}

// about describes a request about an object.
func (s *Store) about(op, doing, key string) call {
	return call{op: op, doing: doing, place: s.place(key), arn: s.bucketARN() + "/" + s.full(key), key: true}
}

// check refuses what blob refuses, and what S3 has no name for. Objects of others
// may have keys that this program does not give.
func (s *Store) check(doing, key string, writable bool) error {
	err := blob.CheckLiteralKey(key)
	if err == nil && writable {
		err = blob.CheckWritable(key)
	}
	switch {
	case err != nil:
	case !utf8.ValidString(key):
		err = &blob.KeyError{Key: key, Reason: "it is not UTF-8"}
	case len(s.full(key)) > maxKey:
		err = &blob.KeyError{Key: key, Reason: fmt.Sprintf("with its prefix it has more than %d bytes", maxKey)}
	}
	if err != nil {
		return fmt.Errorf("%s in %s: %w", doing, s.Root(), err)
	}
	return nil
}

// pin is an ETag without its quotes, and without the W/ of proxies that compress answers.
func pin(etag *string) string { return strings.Trim(strings.TrimPrefix(aws.ToString(etag), "W/"), `"`) }

func quoted(pin string) *string { return aws.String(`"` + pin + `"`) }

// instant has whole seconds: answers about an object have no more.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// serverTime is the Date of the answer that metadata are of, of the last one if it
// took several attempts; zero if it has none.
func serverTime(md middleware.Metadata) time.Time {
	t, _ := awsmiddleware.GetServerTime(md)
	return instant(&t)
}

// Stat returns what is known of an object.
func (s *Store) Stat(ctx context.Context, key string) (o blob.Object, err error) {
	if err := s.check("look at", key, false); err != nil {
		return o, err
	}
	err = s.grace.wait(ctx, s.o, func() error {
		h, err := s.head(ctx, "look at", key)
		o = h.Object
		return err
	})
	return o, err
}

// noETag is why an answer about an object is not believed.
const noETag = "the server sends no ETag: see that the endpoint is that of an S3 server, and that no proxy answers in its place"

// head is an object with the idempotency token that its writer gave it.
type head struct {
	blob.Object
	token string
}

func (s *Store) head(ctx context.Context, doing, key string) (head, error) {
	in := &s3.HeadObjectInput{Bucket: &s.o.Bucket, Key: aws.String(s.full(key))}
	out, err := s.api.HeadObject(ctx, in)
	if mute(err) {
		if why := s.probeObject(ctx, doing, key); why != nil {
			return head{}, s.orNoBucket(ctx, why)
		}
		out, err = s.api.HeadObject(ctx, in)
	}
	if err != nil {
		return head{}, s.orNoBucket(ctx, explain(ctx, s.about("HeadObject", doing, key), err))
	}
	o := blob.Object{Key: key, Size: aws.ToInt64(out.ContentLength), Pin: pin(out.ETag), ModTime: instant(out.LastModified), Now: serverTime(out.ResultMetadata)}
	if o.Pin == "" {
		return head{}, &Error{Doing: doing, Place: s.place(key), Reason: noETag}
	}
	s.sawBucket()
	return head{o, out.Metadata[tokenKey]}, nil
}

// mute reports whether an answer to HEAD refuses and cannot say why: it has no
// body. Credentials that expired, a clock, a key of KMS all look alike.
func mute(err error) bool {
	var re *awshttp.ResponseError
	return errors.As(err, &re) && (re.HTTPStatusCode() == 400 || re.HTTPStatusCode() == 403)
}

// probeObject asks for the first byte of an object, to be told what HEAD is refused for.
// Asking renews credentials that have expired.
func (s *Store) probeObject(ctx context.Context, doing, key string) error {
	out, err := s.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.o.Bucket, Key: aws.String(s.full(key)), Range: aws.String("bytes=0-0")})
	if err == nil {
		return out.Body.Close()
	}
	err = explain(ctx, s.about("GetObject", doing, key), err)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusRequestedRangeNotSatisfiable {
		return nil // it is empty
	}
	return err
}

func (s *Store) sawBucket() {
	s.mu.Lock()
	s.bucket = true
	s.mu.Unlock()
}

// orNoBucket makes sure, once, that it is the object that does not exist: the
// answer to HEAD is the same when there is no bucket, and to take all objects
// of a mistyped bucket for removed would be a costly error.
func (s *Store) orNoBucket(ctx context.Context, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.mu.Lock()
	seen := s.bucket
	s.mu.Unlock()
	var said *Error
	if seen || errors.As(err, &said) && said.Code == "NoSuchKey" {
		return err // the answer to GET says which of the two is missing
	}
	_, herr := s.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.o.Bucket})
	c := call{op: "HeadBucket", doing: "look at", place: "s3://" + s.o.Bucket, arn: s.bucketARN()}
	herr = explain(ctx, c, herr)
	var e *Error
	switch {
	case herr == nil || errors.Is(herr, fs.ErrPermission):
		s.sawBucket()
		return err
	case errors.As(herr, &e) && (e.Status == 404 || errors.Is(e, fs.ErrNotExist)):
		return s.whyNoBucket(ctx, e)
	}
	return herr
}

// whyNoBucket asks for a listing, whose answer can say why the bucket was not found: HEAD
// has no body, and some servers also answer so to who is not known there.
func (s *Store) whyNoBucket(ctx context.Context, of *Error) error {
	in := &s3.ListObjectsV2Input{Bucket: &s.o.Bucket, MaxKeys: aws.Int32(1)}
	if s.o.Prefix != "" {
		in.Prefix = aws.String(s.o.Prefix + "/")
	}
	_, err := s.api.ListObjectsV2(ctx, in)
	err = explain(ctx, call{op: "ListObjectsV2", doing: of.Doing, place: of.Place, arn: s.bucketARN()}, err)
	var e *Error
	if errors.As(err, &e) && e.Code != "" && e.Code != "AccessDenied" && !errors.Is(e, fs.ErrNotExist) {
		return e
	}
	of.kind, of.Reason = nil, noBucket
	return of
}

// Delete removes an object. Where the server does not judge the condition it is
// judged directly before.
func (s *Store) Delete(ctx context.Context, key string, cond blob.Cond) error {
	if err := s.check("delete", key, true); err != nil {
		return err
	}
	ctx, tries := watchAttempts(ctx)
	h, err := s.head(ctx, "delete", key)
	if err != nil {
		return err
	}
	c := s.about("DeleteObject", "delete", key)
	if err := judge(c, h, true, cond); err != nil {
		return err
	}
	in := &s3.DeleteObjectInput{Bucket: &s.o.Bucket, Key: aws.String(s.full(key))}
	if cond.Pin() != "" {
		native, err := s.can(ctx, condDelete)
		if err != nil {
			return err
		}
		if native {
			in.IfMatch = quoted(cond.Pin())
		}
	}
	_, err = s.api.DeleteObject(ctx, in)
	err = explain(ctx, c, err)
	if errors.Is(err, blob.ErrConflict) || errors.Is(err, fs.ErrNotExist) {
		// It was there a moment ago: an earlier attempt may have removed it.
		if _, herr := s.head(ctx, "delete", key); errors.Is(herr, fs.ErrNotExist) {
			return nil
		}
	}
	if err == nil && tries.repeated.Load() {
		return s.removed(ctx, h)
	}
	return err
}

// removed checks that an object is gone that a server says it has removed.
func (s *Store) removed(ctx context.Context, h head) error {
	now, err := s.head(ctx, "delete", h.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && now.Pin == h.Pin && now.token == h.token:
		return phantom("delete", s.place(h.Key), "it is still there")
	}
	return err
}

// remove removes an object without conditions and whether or not it is there.
func (s *Store) remove(ctx context.Context, key string) error {
	_, err := s.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.o.Bucket, Key: aws.String(s.full(key))})
	err = explain(ctx, s.about("DeleteObject", "delete", key), err)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// slot waits for the right to move content.
func (s *Store) slot(ctx context.Context) (release func()) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }
	case <-ctx.Done():
		return func() {} // the request will fail by itself
	}
}

// judge reports with ErrConflict that cond does not hold for an object as it
// was seen.
func judge(c call, h head, exists bool, cond blob.Cond) error {
	why := ""
	switch {
	case cond == blob.Cond{}:
	case !exists && !cond.IsAbsent():
		why = "it is gone"
	case exists && cond.IsAbsent():
		why = "it exists"
	case exists && h.Pin != cond.Pin():
		why = "it has changed"
	}
	if why == "" {
		return nil
	}
	return &Error{Doing: c.doing, Place: c.place, Reason: blob.ErrConflict.Error() + ": " + why, kind: blob.ErrConflict}
}

// RemoveEmptyFolders does nothing: there are no folders.
func (s *Store) RemoveEmptyFolders(ctx context.Context, folder, stop string) error {
	err := errors.Join(blob.CheckPrefix(folder), blob.CheckPrefix(stop))
	if err == nil && !blob.Under(folder, stop) {
		err = &blob.KeyError{Key: folder, Reason: fmt.Sprintf("it is not below %q", stop)}
	}
	if err != nil {
		return fmt.Errorf("remove the empty folder in %s: %w", s.Root(), err)
	}
	return ctx.Err()
}

// grace is the time that objects may still take to appear, for all together.
type grace struct {
	mu   sync.Mutex
	left time.Duration
}

// wait repeats op, while that finds nothing, for the time of grace.
func (g *grace) wait(ctx context.Context, o Options, op func() error) error {
	step := o.Retry.Wait
	for end := time.Now().Add(o.Grace); ; step *= 2 {
		err := op()
		step = min(step, time.Until(end))
		if !errors.Is(err, fs.ErrNotExist) || step <= 0 || !g.take(step) {
			return err
		}
		t := time.NewTimer(step)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
	}
}

func (g *grace) take(d time.Duration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left < d {
		return false
	}
	g.left -= d
	return true
}
