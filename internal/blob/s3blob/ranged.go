package s3blob

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob"
)

// ranged reads a range of an object, going on where a connection broke.
type ranged struct {
	s     *Store
	ctx   context.Context
	key   string
	doing string
	off   int64
	o     blob.Object // with a pin once the content is known
}

// read fills p, up to the end of the object.
func (r *ranged) read(p []byte) (n int, err error) {
	release := r.s.slot(r.ctx)
	defer release()
	for fails := 0; ; {
		m, err := r.once(p[n:])
		n += m
		var e *Error
		if err == nil || !errors.As(err, &e) || !e.cut {
			return n, err
		}
		if m >= firstRead {
			fails = 0
		}
		if fails++; fails >= r.s.attempts || !r.s.pause(r.ctx, fails) {
			return n, err
		}
	}
}

// pause waits before the attempt after n failed ones, unless the context ends.
func (s *Store) pause(ctx context.Context, n int) bool {
	d, _ := backoff(s.o.Retry.Wait)(n, nil)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// once sends one request.
func (r *ranged) once(p []byte) (n int, err error) {
	in := &s3.GetObjectInput{Bucket: &r.s.o.Bucket, Key: aws.String(r.s.full(r.key)),
		Range: aws.String("bytes=" + strconv.FormatInt(r.off, 10) + "-" + strconv.FormatInt(r.off+int64(len(p))-1, 10))}
	if r.o.Pin != "" {
		in.IfMatch = quoted(r.o.Pin)
	}
	c := r.s.about("GetObject", r.doing, r.key)
	out, err := r.s.api.GetObject(r.ctx, in)
	if err != nil {
		err = explain(r.ctx, c, err)
		var e *Error
		if errors.As(err, &e) && e.Status == 416 && r.o.Pin == "" {
			return 0, r.empty()
		}
		return 0, r.s.orNoBucket(r.ctx, err)
	}
	defer out.Body.Close()
	want, err := r.answer(c, out, len(p))
	if err != nil {
		return 0, err
	}
	n, err = io.ReadFull(out.Body, p[:want])
	r.off += int64(n)
	if err == nil {
		return n, nil
	}
	if r.ctx.Err() != nil {
		return n, explain(r.ctx, c, err)
	}
	return n, &Error{Doing: c.doing, Place: c.place, Reason: "the connection broke, again and again: " + err.Error(), err: err, again: true, cut: true}
}

// empty takes note of an object that has no first byte to read.
func (r *ranged) empty() error {
	h, err := r.s.head(r.ctx, r.doing, r.key)
	r.o = h.Object
	if err == nil && h.Size > 0 {
		err = &Error{Doing: r.doing, Place: r.s.place(r.key), Reason: "it is changing at this moment", kind: blob.ErrConflict}
	}
	return err
}

// answer holds an answer against what was asked for, and returns how many bytes
// of its body are wanted.
func (r *ranged) answer(c call, out *s3.GetObjectOutput, room int) (int, error) {
	wrong := func(reason string) error { return &Error{Doing: c.doing, Place: c.place, Reason: reason} }
	size, first := aws.ToInt64(out.ContentLength), int64(0)
	if cr := aws.ToString(out.ContentRange); cr != "" {
		var ok bool
		if first, size, ok = parseContentRange(cr); !ok {
			return 0, wrong("the server answers with the range " + strconv.Quote(cr))
		}
	}
	if first != r.off {
		return 0, wrong("the server does not answer with the range that was asked for")
	}
	got := pin(out.ETag)
	if got == "" {
		return 0, wrong(noETag)
	}
	if r.o.Pin == "" {
		r.s.sawBucket()
		r.o = blob.Object{Key: r.key, Size: size, Pin: got, ModTime: instant(out.LastModified), Now: serverTime(out.ResultMetadata)}
	}
	if r.o.Pin != got || r.o.Size != size {
		e := wrong("it has changed since it was opened").(*Error)
		e.kind = blob.ErrConflict
		return 0, e
	}
	return int(min(int64(room), size-r.off)), nil
}

// parseContentRange takes "bytes 0-9/100" apart.
func parseContentRange(s string) (first, size int64, ok bool) {
	span, total, ok1 := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	from, _, ok2 := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	return first, size, ok1 && ok2 && err1 == nil && err2 == nil && first >= 0 && first < size
}
