package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
)

// copiesAtOnce is how many parts of one object are copied at a time.
const copiesAtOnce = 8

// Move copies an object inside the server and removes the source. The copy is
// conditional on what it replaces: by CopyObject where the server keeps its
// conditions, else by completing a multipart copy where it keeps those, else
// the condition is judged directly before.
//
// A destination that bears the token of the source is an earlier attempt that
// got that far. The source goes when its copy was confirmed at once or seen.
func (s *Store) Move(ctx context.Context, from, to string, cond blob.Cond) (blob.Object, error) {
	if err := errors.Join(s.check("move", from, true), s.check("move", to, true)); err != nil {
		return blob.Object{}, err
	}
	src, err := s.head(ctx, "move", from)
	if err != nil {
		return blob.Object{}, err
	}
	if from == to {
		return src.Object, judge(s.about("CopyObject", "move", to), src, true, cond)
	}
	o, err := s.copy(ctx, src, to, cond)
	if err != nil {
		return blob.Object{}, err
	}
	if err := s.remove(ctx, from); err != nil {
		return blob.Object{}, fmt.Errorf("%s is in its place, but its source stays: %w", s.place(to), err)
	}
	return o, nil
}

// copy copies an object if cond holds for to. What was confirmed and is not there
// is copied again.
func (s *Store) copy(ctx context.Context, src head, to string, cond blob.Cond) (o blob.Object, err error) {
	ctx, tries := watchAttempts(ctx)
	for n := 1; ; n++ {
		o, err = s.copyJudged(ctx, src, to, cond)
		if err == nil && tries.repeated.Load() {
			o, err = s.written(ctx, "move to", to, src.token, src.Size, o.Pin)
		}
		if n == copyTries || !errors.Is(err, errPhantom) {
			return o, err
		}
	}
}

// copyJudged copies once. A conflict can be its own success, or be about the
// source.
func (s *Store) copyJudged(ctx context.Context, src head, to string, cond blob.Cond) (blob.Object, error) {
	o, err := s.copyBest(ctx, src, to, cond)
	if err == nil && o.Pin != "" || err != nil && !errors.Is(err, blob.ErrConflict) {
		return o, err
	}
	h, herr := s.head(ctx, "move to", to)
	switch {
	case herr == nil && h.isCopyOf(src):
		return h.Object, nil
	case err == nil:
		return o, &Error{Doing: "move to", Place: s.place(to), Reason: "it changed while it was being copied", kind: blob.ErrConflict, err: herr}
	}
	now, herr := s.head(ctx, "move", src.Key)
	if herr != nil {
		return o, herr
	}
	if now.Pin != src.Pin {
		return o, &Error{Doing: "move", Place: s.place(src.Key), Reason: "it changed while it was being copied"}
	}
	return o, err
}

// isCopyOf reports whether an object is a copy of another one, by its token.
func (h head) isCopyOf(src head) bool {
	return src.token != "" && h.token == src.token && h.Size == src.Size
}

func (s *Store) copyBest(ctx context.Context, src head, to string, cond blob.Cond) (o blob.Object, err error) {
	small := src.Size <= s.o.CopyLimit
	if cond == (blob.Cond{}) {
		if small {
			return s.copyOnce(ctx, src, to, cond)
		}
		return s.copyParts(ctx, src, to, cond)
	}
	if small {
		if ok, err := s.can(ctx, condCopy); err != nil || ok {
			if err != nil {
				return o, err
			}
			return s.copyOnce(ctx, src, to, cond)
		}
	}
	ok, err := s.can(ctx, condComplete)
	if err != nil {
		return o, err
	}
	if ok && src.Size > 0 {
		return s.copyParts(ctx, src, to, cond)
	}
	h, err := s.head(ctx, "move to", to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, err
	}
	if err := judge(s.about("CopyObject", "move to", to), h, err == nil, cond); err != nil {
		return o, err
	}
	return s.copyBest(ctx, src, to, blob.Cond{})
}

// copyCall describes a copy for its errors.
func (s *Store) copyCall(op string, src head, to string) call {
	c := s.about(op, "move to", to)
	c.with = "and s3:GetObject on " + s.bucketARN() + "/" + s.full(src.Key)
	if more := s.o.Write.needs(c.arn); more != "" {
		c.with += ", " + more
	}
	return c
}

// copyOnce copies in one request. The metadata, and so the token, come along.
func (s *Store) copyOnce(ctx context.Context, src head, to string, cond blob.Cond) (blob.Object, error) {
	a := s.o.Write
	in := &s3.CopyObjectInput{
		Bucket: &s.o.Bucket, Key: aws.String(s.full(to)), CopySource: s.source(src.Key), CopySourceIfMatch: quoted(src.Pin),
		ACL: types.ObjectCannedACL(a.ACL), StorageClass: types.StorageClass(a.StorageClass),
		ServerSideEncryption: types.ServerSideEncryption(a.SSE),
	}
	in.SSEKMSKeyId, in.BucketKeyEnabled = a.key()
	if t := a.tagging(); t != nil {
		in.Tagging, in.TaggingDirective = t, types.TaggingDirectiveReplace
	}
	in.IfMatch, in.IfNoneMatch = conditions(cond)
	out, err := s.api.CopyObject(ctx, in)
	if err != nil {
		return blob.Object{}, gone(explain(ctx, s.copyCall("CopyObject", src, to), err), cond)
	}
	o := blob.Object{Key: to, Size: src.Size}
	if out.CopyObjectResult != nil {
		o.Pin = pin(out.CopyObjectResult.ETag)
	}
	return o, nil
}

// copyTries is how often a copy is started over when somebody was changing the
// destination at the same moment or aborted the upload, or when it is not there.
const copyTries = 3

// copyParts copies part by part.
func (s *Store) copyParts(ctx context.Context, src head, to string, cond blob.Cond) (o blob.Object, err error) {
	if err := s.abortAt(ctx, to, blob.Below(to)); err != nil {
		return o, err
	}
	for n := 1; ; n++ {
		o, err = s.copyPartsOnce(ctx, src, to, cond)
		var e *Error
		if n == copyTries || !errors.As(err, &e) || e.Code != "NoSuchUpload" && e.Code != "ConditionalRequestConflict" {
			return o, err
		}
		if h, herr := s.head(ctx, "move to", to); herr == nil && h.isCopyOf(src) {
			return h.Object, nil
		}
		noteRepeated(ctx)
	}
}

func (s *Store) copyPartsOnce(ctx context.Context, src head, to string, cond blob.Cond) (o blob.Object, err error) {
	u, err := s.begin(ctx, to, src.token, "")
	if err != nil {
		return o, err
	}
	done := false
	defer func() {
		if !done {
			u.abort(ctx)
		}
	}()
	size := max(s.o.CopyPartSize, (src.Size+maxParts-1)/maxParts)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(copiesAtOnce)
	for n := int32(1); int64(n-1)*size < src.Size; n++ {
		first := int64(n-1) * size
		g.Go(func() error { return u.copyPart(gctx, src, n, first, min(first+size, src.Size)) })
	}
	if err := g.Wait(); err != nil {
		return o, err
	}
	etag, err := u.complete(ctx, cond)
	if err != nil {
		return o, err
	}
	done = true
	if u.twin {
		_ = s.abortAt(ctx, to, blob.Below(to)) // else the next copy to this key does it
	}
	return blob.Object{Key: to, Size: src.Size, Pin: etag}, nil
}

func (u *upload) copyPart(ctx context.Context, src head, n int32, first, end int64) error {
	out, err := u.s.api.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: &u.s.o.Bucket, Key: aws.String(u.s.full(u.key)), UploadId: u.id, PartNumber: aws.Int32(n),
		CopySource: u.s.source(src.Key), CopySourceIfMatch: quoted(src.Pin),
		CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, end-1)),
	})
	if err != nil {
		return explain(ctx, u.s.copyCall("UploadPartCopy", src, u.key), err)
	}
	p := types.CompletedPart{PartNumber: aws.Int32(n)}
	if out.CopyPartResult != nil {
		p.ETag = out.CopyPartResult.ETag
	}
	u.add(p, end-first)
	return nil
}

// source names an object for a copy. The server decodes it like a query.
func (s *Store) source(key string) *string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/"
	var b strings.Builder
	b.WriteString(s.o.Bucket + "/")
	for _, c := range []byte(s.full(key)) {
		if strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return aws.String(b.String())
}
