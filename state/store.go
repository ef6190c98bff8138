package state

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"reconcile/state/internal/kv"
)

// NewLineage returns the lineage of a state that is to be made, see Session.Begin.
func NewLineage() string { return kv.NewLineage() }

// Store is a state. It holds nothing open between two calls, and may be used by
// several goroutines.
type Store struct {
	Backend
	// BeforeRaise backs the state up before a transaction raises its format, and returns
	// where. Without it that is not done.
	BeforeRaise func(context.Context) (string, error)
}

// Lock takes the one right to write, waiting for it up to wait; 0 asks once. The error
// matches ErrLocked when another process or another Lock of this one has it.
func (s *Store) Lock(ctx context.Context, holder Holder, wait time.Duration) (*Lock, error) {
	session, err := s.Backend.Lock(ctx, holder, wait)
	if err != nil {
		return nil, err
	}
	return &Lock{Session: session, place: s.Place(), raising: raising{place: s.Place(), keep: s.BeforeRaise}}, nil
}

// Load is that of the Backend. A state that was moved away, or is not wholly moved here,
// is not given out: the error is a *MovedError.
func (s *Store) Load(ctx context.Context) (*Snapshot, error) {
	snap, err := s.Backend.Load(ctx)
	return usable(s.Place(), snap, err)
}

// LockOver is Lock for Replace: it also takes the right to write a state that is damaged.
func (s *Store) LockOver(ctx context.Context, holder Holder, wait time.Duration) (*Lock, error) {
	session, err := s.Backend.LockOver(ctx, holder, wait)
	if err != nil {
		return nil, err
	}
	return &Lock{Session: session, place: s.Place(), raising: raising{place: s.Place(), keep: s.BeforeRaise}}, nil
}

// Lock is the right to write the state. Its methods may be called by several
// goroutines.
type Lock struct {
	Session
	place   string
	mu      sync.Mutex // one transaction, collection or compaction at a time
	above   uint64     // what serials have to exceed
	raising raising
	newest  *newest // as far as it is known; nil until it is asked for
}

// Load is that of the Session, with the errors of Store.Load.
func (l *Lock) Load(ctx context.Context) (*Snapshot, error) {
	snap, err := l.Session.Load(ctx)
	return usable(l.place, snap, err)
}

// Exceed makes the serials of this lock's transactions greater than a number.
func (l *Lock) Exceed(serial uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.above = max(l.above, serial)
}

// Update runs fn and commits what it put, in one transaction that is durable when
// Update returns nil. When fn fails nothing is written and its error is returned. A
// transaction without any change is not written. On a damaged state it fails without
// touching it.
//
// An error that matches ErrUnknownOutcome leaves open whether the transaction counts.
// Any other one after the commit itself leaves it in place: who needs to know loads
// again.
func (l *Lock) Update(ctx context.Context, fn func(*Tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	head, err := l.Session.Head(ctx)
	if err != nil {
		return err
	}
	tx := newTx(max(head.Serial, l.above)+1, head)
	if err := fn(tx); err != nil {
		return err
	}
	if !tx.changes.Empty() {
		if err := l.raising.before(ctx, head.Raise); err != nil {
			return err
		}
	}
	return l.commit(ctx, tx)
}

// commit commits a transaction that is complete. It needs l.mu.
func (l *Lock) commit(ctx context.Context, tx *Tx) error {
	if tx.changes.Empty() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit state: %w", err)
	}
	outcome, err := l.Session.Commit(ctx, tx)
	l.follow(tx.changes, outcome == Done && err == nil)
	switch {
	case outcome == Unknown:
		return fmt.Errorf("commit %d of the state: %w: %w", tx.Serial(), ErrUnknownOutcome, err)
	case err != nil:
		return fmt.Errorf("commit state: %w", err)
	}
	return nil
}

// Collect removes the objects that keep denies and what crashes left of unfinished
// ones, as far as no reader can need them, and returns how many it removed. keep,
// which gets the ID of a Ref, has to be that of the newest transaction (see
// Snapshot.Refs); an object that is being written, or finished and not yet committed,
// would be lost.
func (l *Lock) Collect(ctx context.Context, keep func(id string) bool) (removed int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Session.Collect(ctx, keep)
}

// Compact removes what deleted records left behind, which an added mask may hide by
// now. The content, the serial too, stays the same.
func (l *Lock) Compact(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Session.Compact(ctx)
}

// Warnings returns what went wrong without harm to the state, and what people should know
// of it.
func (l *Lock) Warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.Session.Warnings(), l.raising.notes)
}

// Unlock gives the right back. A second call does nothing.
func (l *Lock) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = nil
	return l.Session.Unlock()
}
