package s3blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/internal/blob"
)

// Capabilities are the requests whose conditions a server keeps. A server that
// does not know a condition ignores it and overwrites or removes the object:
// that is why they are tried out, on objects made for it, and not looked up.
type Capabilities struct {
	Put      bool // If-None-Match and If-Match on PutObject
	Complete bool // the same on CompleteMultipartUpload
	Copy     bool // the same, for the destination, on CopyObject
	Delete   bool // If-Match on DeleteObject
}

const (
	condPut = iota
	condComplete
	condCopy
	condDelete
	capabilities
)

type capability struct {
	mu         sync.Mutex
	known, yes bool
}

// Capabilities tries out what the server keeps. It writes small objects below
// the probe folder and removes them; what is known already costs nothing.
func (s *Store) Capabilities(ctx context.Context) (c Capabilities, err error) {
	for i, to := range []*bool{condPut: &c.Put, condComplete: &c.Complete, condCopy: &c.Copy, condDelete: &c.Delete} {
		if *to, err = s.can(ctx, i); err != nil {
			return c, err
		}
	}
	return c, nil
}

// can reports whether the server keeps the conditions of a request. The answer
// holds for the life of the store.
func (s *Store) can(ctx context.Context, which int) (bool, error) {
	c := &s.caps[which]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		return c.yes, nil
	}
	s.probing.Lock()
	defer s.probing.Unlock()
	p := probe{s: s, ctx: ctx}
	defer p.clean()
	yes, err := []func() (bool, error){p.put, p.complete, p.copy, p.delete}[which]()
	if err != nil {
		return false, fmt.Errorf("try out which conditions the server keeps: %w", err)
	}
	c.known, c.yes = true, yes
	return yes, nil
}

// probe tries requests that a server must refuse. Each is sent to an object
// that exists, with a condition that does not hold for it.
type probe struct {
	s    *Store
	ctx  context.Context
	made []string
}

// noPin is the ETag of no object.
const noPin = "00000000000000000000000000000000"

// object makes an object to try requests on.
func (p *probe) object() (string, error) {
	key := blob.Join(p.s.o.ProbeFolder, blob.TempName())
	p.made = append(p.made, key)
	w := &writer{s: p.s, key: key}
	w.ctx, w.tries = watchAttempts(p.ctx)
	_, err := w.put()
	return key, err
}

// clean removes what was made; what it cannot remove, RemoveLeftovers will.
func (p *probe) clean() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), cleanTime)
	defer cancel()
	for _, key := range p.made {
		_ = p.s.remove(ctx, key)
	}
}

// cleanTime is how long cleaning up after a failure may take.
const cleanTime = 30 * time.Second

// refused reports whether the server refused a request for its condition.
func refused(err error) (bool, error) {
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, blob.ErrConflict), errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, blob.ErrUnsupported):
		return false, nil
	}
	var e *Error
	// It does not know the header here, or it completed the upload at the first
	// attempt, whose answer was lost.
	if errors.As(err, &e) && (e.Status == 400 || e.Code == "NoSuchUpload") {
		return false, nil
	}
	return false, err
}

// probeTries is how often a request is tried until an answer counts.
const probeTries = 10

// judge reports whether the server refuses a request. An answer that took several
// attempts can be about the first of them, and proves nothing.
func (p *probe) judge(try func(ctx context.Context) error) (bool, error) {
	for range probeTries {
		ctx, tries := watchAttempts(p.ctx)
		ok, err := refused(try(ctx))
		if err != nil || !tries.repeated.Load() {
			return ok, err
		}
	}
	return false, &Error{Doing: "write to", Place: p.s.place(p.s.o.ProbeFolder), again: true,
		Reason: "each answer took several attempts, so that none of them proves anything; run again"}
}

// both tries a request with both conditions.
func (p *probe) both(try func(ctx context.Context, cond blob.Cond) error) (bool, error) {
	for _, cond := range []blob.Cond{blob.Absent(), blob.Match(noPin)} {
		if ok, err := p.judge(func(ctx context.Context) error { return try(ctx, cond) }); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (p *probe) put() (bool, error) {
	key, err := p.object()
	if err != nil {
		return false, err
	}
	return p.both(func(ctx context.Context, cond blob.Cond) error {
		w := &writer{s: p.s, key: key, cond: cond}
		_, err := w.send(ctx)
		return err
	})
}

func (p *probe) copy() (bool, error) {
	from, err := p.object()
	if err != nil {
		return false, err
	}
	to, err := p.object()
	if err != nil {
		return false, err
	}
	src, err := p.s.head(p.ctx, "look at", from)
	if err != nil {
		return false, err
	}
	return p.both(func(ctx context.Context, cond blob.Cond) error {
		_, err := p.s.copyOnce(ctx, src, to, cond)
		return err
	})
}

func (p *probe) complete() (bool, error) {
	key, err := p.object()
	if err != nil {
		return false, err
	}
	return p.both(func(ctx context.Context, cond blob.Cond) error {
		u, err := p.s.begin(p.ctx, key, "", p.s.algorithm)
		if err != nil {
			return err
		}
		defer u.abort(p.ctx)
		if err := u.part(p.ctx, 1, []byte("probe")); err != nil {
			return err
		}
		_, err = u.complete(ctx, cond)
		return err
	})
}

func (p *probe) delete() (bool, error) {
	return p.judge(func(ctx context.Context) error {
		key, err := p.object() // a new one each time, as it may be gone then
		if err != nil {
			return err
		}
		in := &s3.DeleteObjectInput{Bucket: &p.s.o.Bucket, Key: aws.String(p.s.full(key)), IfMatch: quoted(noPin)}
		_, err = p.s.api.DeleteObject(ctx, in)
		return explain(ctx, p.s.about("DeleteObject", "delete", key), err)
	})
}

// unsafe is the refusal of a write whose condition the server would ignore.
func (s *Store) unsafe(c call) error {
	where := s.o.Endpoint
	if where == "" {
		where = "of this region"
	}
	return &Error{Doing: c.doing, Place: c.place, kind: blob.ErrUnsupported, Reason: fmt.Sprintf(
		"the server %s ignores If-None-Match and If-Match on %s: two writers could both believe that they won; use a server that keeps them", where, c.op)}
}
