package s3blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"reconcile/internal/blob"
)

// tokenKey is the metadata by which a write recognises its own object, and a
// copy its source.
const tokenKey = "reconcile-write"

// maxParts is how many parts S3 takes.
const maxParts = 10000

// Create starts writing an object. Nothing of it is at the server before its
// first part is full; up to a part, it is one PUT. A condition that the server
// would ignore is refused with blob.ErrUnsupported.
func (s *Store) Create(ctx context.Context, key string, cond blob.Cond) (blob.Writer, error) {
	if err := s.check("create", key, true); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create %s: %w", s.place(key), err)
	}
	if cond != (blob.Cond{}) {
		ok, err := s.can(ctx, condPut)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, s.unsafe(s.about("PutObject", "write", key))
		}
	}
	w := &writer{s: s, key: key, cond: cond, token: rand.Text()}
	w.ctx, w.tries = watchAttempts(ctx)
	s.mu.Lock()
	s.open[w] = struct{}{}
	s.mu.Unlock()
	return w, nil
}

type writer struct {
	ctx   context.Context
	tries *attempts
	s     *Store
	key   string
	cond  blob.Cond
	token string
	buf   []byte
	size  int64
	// up is nil until the object outgrows a part.
	up    *upload
	n     int32
	parts *errgroup.Group
	pctx  context.Context
	free  chan []byte
	dead  atomic.Bool // RemoveLeftovers was told that nobody is at work here
	done  bool
}

func (w *writer) about(op string) call {
	c := w.s.about(op, "write", w.key)
	c.with = w.s.o.Write.needs(w.s.bucketARN() + "/" + w.s.full(w.key))
	return c
}

func (w *writer) usable() error {
	switch {
	case w.done:
		return fmt.Errorf("write %s: %w", w.s.place(w.key), fs.ErrClosed)
	case w.ctx.Err() != nil:
		return fmt.Errorf("write %s: %w", w.s.place(w.key), w.ctx.Err())
	case w.dead.Load():
		return &Error{Doing: "write", Place: w.s.place(w.key), Reason: "the unfinished write was tidied away", err: fs.ErrClosed}
	}
	return nil
}

func (w *writer) Write(p []byte) (n int, err error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	for len(p) > 0 {
		if int64(len(w.buf)) == w.s.o.PartSize {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
		m := min(len(p), int(w.s.o.PartSize)-len(w.buf))
		w.buf = append(w.buf, p[:m]...)
		p, n, w.size = p[m:], n+m, w.size+int64(m)
	}
	return n, nil
}

// flush sends the full buffer as a part.
func (w *writer) flush() (err error) {
	if w.up == nil {
		if err := w.start(); err != nil {
			return err
		}
	}
	if w.n == maxParts {
		return &Error{Doing: "write", Place: w.s.place(w.key), Reason: fmt.Sprintf("it needs more than %d parts of %d bytes", maxParts, w.s.o.PartSize)}
	}
	w.n++
	n, buf := w.n, w.buf
	w.parts.Go(func() error {
		defer func() { w.free <- buf[:0] }()
		return w.up.part(w.pctx, n, buf)
	})
	if err := w.pctx.Err(); err != nil {
		return w.wait()
	}
	w.buf = <-w.free
	return nil
}

func (w *writer) start() (err error) {
	if w.cond != (blob.Cond{}) {
		ok, err := w.s.can(w.ctx, condComplete)
		if err != nil {
			return err
		}
		if !ok {
			return w.s.unsafe(w.about("CompleteMultipartUpload"))
		}
	}
	if w.up, err = w.s.begin(w.ctx, w.key, w.token, w.s.algorithm); err != nil {
		return err
	}
	w.parts, w.pctx = errgroup.WithContext(w.ctx)
	w.parts.SetLimit(w.s.o.PartsAtOnce)
	w.free = make(chan []byte, w.s.o.PartsAtOnce+2)
	for range w.s.o.PartsAtOnce {
		w.free <- nil
	}
	return nil
}

// wait returns when no part is being sent any more.
func (w *writer) wait() error {
	if w.parts == nil {
		return nil
	}
	return w.parts.Wait()
}

// Commit makes the object visible.
func (w *writer) Commit() (blob.Object, error) {
	if err := w.usable(); err != nil {
		return blob.Object{}, err
	}
	o, err := w.commit()
	if err != nil {
		w.Abort()
		return blob.Object{}, err
	}
	w.finish()
	return o, nil
}

func (w *writer) commit() (o blob.Object, err error) {
	if w.up == nil {
		return w.put()
	}
	err = w.flush()
	if werr := w.wait(); werr != nil {
		err = werr
	}
	if err != nil {
		return o, err
	}
	return w.resolve(w.up.complete(w.ctx, w.cond))
}

// put writes the buffer in one request.
func (w *writer) put() (blob.Object, error) {
	o, err := w.resolve(w.send(w.ctx))
	var e *Error
	if errors.As(err, &e) {
		// An answer to the last of several attempts says nothing of the others.
		e.undone = e.Status >= 400 && e.Status < 500 && !e.again && !w.tries.repeated.Load()
	}
	return o, err
}

func (w *writer) send(ctx context.Context) (string, error) {
	a := w.s.o.Write
	in := &s3.PutObjectInput{
		Bucket: &w.s.o.Bucket, Key: aws.String(w.s.full(w.key)), Body: bytes.NewReader(w.buf),
		ContentLength: aws.Int64(int64(len(w.buf))), Metadata: tokenMetadata(w.token),
		ACL: types.ObjectCannedACL(a.ACL), StorageClass: types.StorageClass(a.StorageClass), Tagging: a.tagging(),
		ServerSideEncryption: types.ServerSideEncryption(a.SSE),
	}
	in.SSEKMSKeyId, in.BucketKeyEnabled = a.key()
	in.IfMatch, in.IfNoneMatch = conditions(w.cond)
	sum := checksumOf(w.s.algorithm, w.buf)
	in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumCRC64NVME, in.ChecksumSHA256 = sum.crc32, sum.crc32c, sum.crc64nvme, sum.sha256
	release := w.s.slot(ctx)
	defer release()
	out, err := w.s.api.PutObject(ctx, in)
	if err != nil {
		return "", gone(explain(ctx, w.about("PutObject"), err), w.cond)
	}
	return pin(out.ETag), nil
}

// resolve judges the end of a write. A conflict can be its own success, when the
// answer to the first attempt was lost.
func (w *writer) resolve(etag string, err error) (blob.Object, error) {
	if err == nil && etag != "" {
		if w.tries.repeated.Load() {
			return w.s.written(w.ctx, "write", w.key, w.token, w.size, etag)
		}
		return blob.Object{Key: w.key, Size: w.size, Pin: etag}, nil
	}
	var e *Error
	if err != nil && !errors.Is(err, blob.ErrConflict) && !(errors.As(err, &e) && e.Code == "NoSuchUpload") {
		return blob.Object{}, err
	}
	h, herr := w.s.head(w.ctx, "write", w.key)
	if herr == nil && w.token != "" && h.token == w.token && h.Size == w.size {
		return h.Object, nil
	}
	if err == nil {
		err = &Error{Doing: "write", Place: w.s.place(w.key), Reason: "it changed while it was being written", kind: blob.ErrConflict, err: herr}
	}
	return blob.Object{}, err
}

// gone turns the answer that an object to be replaced does not exist into a
// conflict.
func gone(err error, cond blob.Cond) error {
	var e *Error
	if cond.Pin() != "" && errors.As(err, &e) && errors.Is(e, fs.ErrNotExist) {
		e.kind, e.Reason = blob.ErrConflict, blob.ErrConflict.Error()+": it is gone"
	}
	return err
}

func tokenMetadata(token string) map[string]string {
	if token == "" {
		return nil
	}
	return map[string]string{tokenKey: token}
}

func conditions(c blob.Cond) (ifMatch, ifNoneMatch *string) {
	if c.IsAbsent() {
		return nil, aws.String("*")
	}
	if c.Pin() != "" {
		return quoted(c.Pin()), nil
	}
	return nil, nil
}

// Abort gives up what was written. After Commit it does nothing.
func (w *writer) Abort() {
	if w.done {
		return
	}
	_ = w.wait()
	if w.up != nil {
		w.up.abort(w.ctx)
	}
	w.finish()
}

func (w *writer) finish() {
	w.done, w.buf, w.free = true, nil, nil
	w.s.mu.Lock()
	delete(w.s.open, w)
	w.s.mu.Unlock()
}
