package s3blob

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
)

// Stats is what a store has cost so far: every attempt counts, as it does on
// the bill.
type Stats struct {
	Requests map[string]int64 // by operation of S3
	Read     int64            // bytes of content received
	Written  int64            // bytes of content sent
}

// Total is the number of requests.
func (s Stats) Total() (n int64) {
	for _, c := range s.Requests {
		n += c
	}
	return n
}

type counter struct {
	mu      sync.Mutex
	s       Stats
	answers int // to requests without content, and how long they took together
	waited  time.Duration
}

// answered notes how long a request without content waited for its answer.
func (c *counter) answered(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers++
	c.waited += after
}

func (c *counter) request(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.Requests == nil {
		c.s.Requests = map[string]int64{}
	}
	c.s.Requests[op]++
}

func (c *counter) bytes(read, written int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Read += int64(read)
	c.s.Written += int64(written)
}

// Stats returns what the store has cost so far.
func (s *Store) Stats() Stats {
	s.count.mu.Lock()
	defer s.count.mu.Unlock()
	out := s.count.s
	out.Requests = maps.Clone(out.Requests)
	return out
}

// RoundTrip is how long an answer of the server took to begin so far, on average, to requests
// without content. It is 0 before the first one.
func (s *Store) RoundTrip() time.Duration {
	s.count.mu.Lock()
	defer s.count.mu.Unlock()
	return s.count.waited / time.Duration(max(s.count.answers, 1))
}

// errIdle reports a server that stays silent.
type errIdle struct{ after time.Duration }

func (e errIdle) Error() string   { return "the server was silent for " + e.after.String() }
func (e errIdle) Timeout() bool   { return true }
func (e errIdle) Temporary() bool { return true }

// client counts requests, and ends those on which nothing moves any more: a
// dead connection must not stop a night.
type client struct {
	next   aws.HTTPClient
	idle   time.Duration
	count  *counter
	server *contact
}

// slow are the requests that a server works on for long before it answers.
var slow = map[string]bool{"CopyObject": true, "UploadPartCopy": true, "CompleteMultipartUpload": true}

const slowFactor = 15

func (c *client) Do(req *http.Request) (*http.Response, error) {
	op := awsmiddleware.GetOperationName(req.Context())
	c.count.request(op)
	limit := c.idle
	if slow[op] {
		limit *= slowFactor
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{limit: limit, ctx: ctx, cancel: cancel, count: c.count, content: op == "GetObject"}
	w.timer = time.AfterFunc(limit, func() { cancel(errIdle{limit}) })
	out := req.WithContext(ctx)
	w.wrapBody(out, op == "PutObject" || op == "UploadPart")
	began := time.Now()
	resp, err := c.next.Do(out)
	c.server.note(err)
	if err != nil {
		return nil, w.end(err)
	}
	if req.ContentLength == 0 && !slow[op] {
		c.count.answered(time.Since(began))
	}
	resp.Body = &watchedBody{resp.Body, w}
	if op == "ListObjectsV2" && resp.StatusCode == http.StatusOK {
		if err := checkListing(resp); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// watch ends a request when its timer runs out; whatever moves winds it up.
type watch struct {
	limit   time.Duration
	timer   *time.Timer
	ctx     context.Context
	cancel  context.CancelCauseFunc
	count   *counter
	content bool
}

// end stops watching and says why the request failed, if we ended it.
func (w *watch) end(err error) error {
	w.timer.Stop()
	var idle errIdle
	if err != nil && err != io.EOF && errors.As(context.Cause(w.ctx), &idle) {
		err = idle
	}
	w.cancel(nil)
	return err
}

func (w *watch) wrapBody(req *http.Request, content bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return
	}
	req.Body = &sentBody{req.Body, w, content}
	if get := req.GetBody; get != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			b, err := get()
			if err != nil {
				return nil, err
			}
			return &sentBody{b, w, content}, nil
		}
	}
}

type sentBody struct {
	io.ReadCloser
	w       *watch
	content bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.w.timer.Reset(b.w.limit)
	if b.content {
		b.w.count.bytes(0, n)
	}
	return n, err
}

type watchedBody struct {
	io.ReadCloser
	w *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.w.content {
		b.w.count.bytes(n, 0)
	}
	if err != nil {
		return n, b.w.end(err)
	}
	b.w.timer.Reset(b.w.limit)
	return n, nil
}

func (b *watchedBody) Close() error {
	b.w.timer.Stop()
	err := b.ReadCloser.Close()
	b.w.cancel(nil)
	return err
}
