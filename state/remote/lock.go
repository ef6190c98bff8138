package remote

import (
	"context"
	"errors"
	"time"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/lease"
)

// Lock acquires the lease, loads the newest content, and writes the fence that it may
// owe.
func (s *backend) Lock(ctx context.Context, holder state.Holder, wait time.Duration) (state.Session, error) {
	return s.lock(ctx, holder, wait, false)
}

func (s *backend) lock(ctx context.Context, holder state.Holder, wait time.Duration, over bool) (state.Session, error) {
	session, err := s.lockOnce(ctx, holder, wait, over)
	var old *oldLeaseError
	if !errors.As(err, &old) {
		return session, err
	}
	s.above, s.fenced = max(s.above, old.generation+generationGap), true
	return s.lockOnce(ctx, holder, wait, over)
}

// generationGap is how far generations go on above those of the log where a lease of
// before was put back: more than there can have been holders since.
const generationGap = 1_000_000

func (s *backend) lockOnce(ctx context.Context, holder state.Holder, wait time.Duration, over bool) (state.Session, error) {
	held, err := lease.Acquire(ctx, lease.Options{
		Store: s.store, Key: leaseKey, TTL: s.o.TTL, Margin: s.o.Margin, Clock: s.o.Clock,
		Holder: lease.Holder(holder), Newest: s.log.newestGeneration, Above: s.above,
	}, wait)
	if err != nil {
		return nil, s.lockError(err)
	}
	l := &session{right: right{held, s.store, s.Place()}, log: s.log, command: holder.Command, fence: s.fenced}
	l.done = func() { s.ended(l) }
	err = l.begin(held.Context())
	if over && errors.Is(err, state.ErrDamaged) {
		err = l.beginOver(held.Context(), err)
	}
	s.fenced = l.fence
	if err != nil {
		if s.fenced {
			held.KeepOpen() // released, the next holder would not know that a fence is owed
		}
		var lost *lease.LostError
		if errors.As(context.Cause(held.Context()), &lost) && !errors.Is(err, state.ErrUnknownOutcome) {
			err = l.lost(err) // what failed because of that says less
		}
		return nil, errors.Join(err, l.Unlock())
	}
	s.mu.Lock()
	s.session = l
	s.mu.Unlock()
	if err := failpoint.Hit(ctx, failpoint.LockAcquired); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l, nil
}

// ended forgets a session.
func (s *backend) ended(l *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == l {
		s.session = nil
	}
}

// lockError names the holder as other locks do.
func (s *backend) lockError(err error) error {
	var held *lease.HeldError
	if errors.As(err, &held) {
		return &state.LockedError{Path: s.Place(), Holder: state.Holder(held.Status.Holder), Detail: held.Error()}
	}
	return err
}

// LockOver acquires the lease, also where the log cannot be read.
func (s *backend) LockOver(ctx context.Context, holder state.Holder, wait time.Duration) (state.Session, error) {
	return s.lock(ctx, holder, wait, true)
}
