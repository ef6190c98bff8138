package blob

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// Retry says how often and how fast something is tried again. The zero Retry
// is the default: six attempts in about five seconds.
type Retry struct {
	Attempts int           // in all; 0 means 6
	Wait     time.Duration // before the second attempt, doubled each time; 0 means 150 ms
}

func (r Retry) attempts() int {
	if r.Attempts == 0 {
		return 6
	}
	return r.Attempts
}

// Do calls op until it succeeds, fails with an error that is not transient or
// that was retried where it arose, or the attempts are used up, and returns its
// last error. The waits are up to a
// half longer than said, by chance. A context that ends cuts a wait short.
func (r Retry) Do(ctx context.Context, op func() error) error {
	wait := r.Wait
	if wait == 0 {
		wait = 150 * time.Millisecond
	}
	for n := 1; ; n++ {
		err := op()
		if err == nil || n >= r.attempts() || !Transient(err) || retried(err) {
			return err
		}
		t := time.NewTimer(wait + rand.N(wait/2+1))
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
		wait *= 2
	}
}

// retried reports whether a store has tried again already, and given up.
func retried(err error) bool {
	var r interface{ Retried() bool }
	return errors.As(err, &r) && r.Retried()
}

// Transient reports whether an error may go away by itself, as network file
// systems, failing disks and busy servers give them. The end of a context is
// not transient. An error can say it of itself with Transient() bool.
func Transient(err error) bool {
	var own interface{ Transient() bool }
	if errors.As(err, &own) {
		return own.Transient()
	}
	for _, t := range []error{
		syscall.EIO, syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ESTALE, syscall.ETIMEDOUT,
		syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.ENETDOWN,
		syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENOTCONN,
		syscall.EMFILE, syscall.ENFILE,
	} {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// WithRetries returns a store whose reads (List, Stat, Open and what is read
// through a handle) are tried again after transient errors. Writes are not:
// whoever writes must judge what became of a write that failed. A store that
// retries by itself, as one on S3 does, says so in its errors, which are then
// final.
func WithRetries(s Store, r Retry) Store { return &retrying{Store: s, r: r} }

type retrying struct {
	Store
	r Retry
}

func (s *retrying) List(ctx context.Context, prefix string) (list []Object, err error) {
	err = s.r.Do(ctx, func() error {
		list, err = s.Store.List(ctx, prefix)
		return err
	})
	return list, err
}

// ListDated lists with the times that a store has.
func (s *retrying) ListDated(ctx context.Context, prefix string) (list []Object, changed map[string]int64, err error) {
	err = s.r.Do(ctx, func() error {
		list, changed, err = ListDated(ctx, s.Store, prefix)
		return err
	})
	return list, changed, err
}

// Fingerprint makes a fingerprint of a store that can.
func (s *retrying) Fingerprint(ctx context.Context, prefix string, keys []string) (fingerprint string, err error) {
	err = s.r.Do(ctx, func() error {
		fingerprint, err = Fingerprint(ctx, s.Store, prefix, keys)
		return err
	})
	return fingerprint, err
}

// ListSince lists with a fingerprint of a store that can.
func (s *retrying) ListSince(ctx context.Context, prefix, fingerprint string, files []Pinned) (list []Object, whole bool, err error) {
	err = s.r.Do(ctx, func() error {
		list, whole, err = ListSince(ctx, s.Store, prefix, fingerprint, files)
		return err
	})
	return list, whole, err
}

// CanMove asks a store that can tell.
func (s *retrying) CanMove(ctx context.Context, from string, to []string) error {
	return s.r.Do(ctx, func() error { return CanMove(ctx, s.Store, from, to) })
}

// Sizes tells the sizes that a store can tell.
func (s *retrying) Sizes(ctx context.Context, keys []string) (sizes []int64, err error) {
	err = s.r.Do(ctx, func() error {
		sizes, err = Sizes(ctx, s.Store, keys)
		return err
	})
	return sizes, err
}

func (s *retrying) Stat(ctx context.Context, key string) (o Object, err error) {
	err = s.r.Do(ctx, func() error {
		o, err = s.Store.Stat(ctx, key)
		return err
	})
	return o, err
}

func (s *retrying) Open(ctx context.Context, key string) (h Handle, err error) {
	err = s.r.Do(ctx, func() error {
		h, err = s.Store.Open(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &retryingHandle{ctx: ctx, s: s, h: h, o: h.Object()}, nil
}

// retryingHandle opens the object again after a transient error: a stale handle
// never recovers. It fails when the object is not the same any more.
type retryingHandle struct {
	ctx context.Context
	s   *retrying
	o   Object
	mu  sync.Mutex // guards h and old
	h   Handle
	old []Handle // replaced, perhaps still being read
}

func (h *retryingHandle) Object() Object { return h.o }

// ReadAhead holds until the object is opened again.
func (h *retryingHandle) ReadAhead(pieces int) { h.current().ReadAhead(pieces) }

func (h *retryingHandle) current() Handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.h
}

func (h *retryingHandle) ReadAt(p []byte, off int64) (n int, err error) {
	var failed Handle
	err = h.s.r.Do(h.ctx, func() error {
		if failed != nil {
			if err := h.reopen(failed); err != nil {
				return err
			}
		}
		failed = h.current()
		n, err = failed.ReadAt(p, off)
		return err
	})
	return n, err
}

// reopen replaces the handle that failed, unless somebody did so already.
func (h *retryingHandle) reopen(failed Handle) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.h != failed {
		return nil
	}
	fresh, err := h.s.Store.Open(h.ctx, h.o.Key)
	if err != nil {
		return err
	}
	if fresh.Object().Pin != h.o.Pin {
		fresh.Close()
		return ErrConflict
	}
	h.old = append(h.old, h.h)
	h.h = fresh
	return nil
}

func (h *retryingHandle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	errs := []error{h.h.Close()}
	for _, o := range h.old {
		o.Close() // it failed before; what it says now does not matter
	}
	h.old = nil
	return errors.Join(errs...)
}

// Undone reports whether a write that failed had no effect and will have none: the
// store has refused the only request that was sent. Of other errors nobody knows.
func Undone(err error) bool {
	var u interface{ Undone() bool }
	return errors.As(err, &u) && u.Undone()
}
