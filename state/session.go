package state

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/lease"
)

// remoteSession is the right to write a state in an object store.
//
// Its replica stands at the head of the log: nobody else can append while the lease is
// held, and whatever appended before is behind the fence of a take-over. Once an
// outcome is unknown, or the log has a record of somebody else, nothing more is done.
type remoteSession struct {
	s       *remote
	held    *lease.Held
	command string

	mu        sync.Mutex
	replica   *replica
	lineage   string // of a state about to be made
	committed bool   // something was appended
	saved     uint64 // serial of the record of the newest checkpoint
	broken    error  // why nothing more may be done
	over      error  // the damage of what stands there, until it is replaced
	warnings  []string
}

// working is the replica of a session, nil of none.
func (l *remoteSession) working() *replica {
	if l == nil {
		return nil
	}
	return l.replica
}

// Lock acquires the lease, loads the newest content, and writes the fence that it may
// owe.
func (s *remote) Lock(ctx context.Context, holder Holder, wait time.Duration) (Session, error) {
	return s.lock(ctx, holder, wait, false)
}

func (s *remote) lock(ctx context.Context, holder Holder, wait time.Duration, over bool) (Session, error) {
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

// oldLeaseError says that the log has a record of a greater generation than a lease that
// was acquired just now and is still held: an old content of the lease was put back.
type oldLeaseError struct {
	generation uint64 // of the record
	err        error
}

func (e *oldLeaseError) Error() string { return e.err.Error() }
func (e *oldLeaseError) Unwrap() error { return e.err }

// tooOld is the error of a session whose generation is below that of a record.
func (l *remoteSession) tooOld(ctx context.Context, generation uint64) error {
	err := l.lost(fmt.Errorf("the log has a record of generation %d, this lease is of %d", generation, l.held.Generation()))
	if l.held.Check(ctx) == nil {
		return &oldLeaseError{generation, err}
	}
	return err
}

func (s *remote) lockOnce(ctx context.Context, holder Holder, wait time.Duration, over bool) (Session, error) {
	held, err := lease.Acquire(ctx, lease.Options{
		Store: s.store, Key: leaseKey, TTL: s.o.TTL, Margin: s.o.Margin, Clock: s.o.Clock,
		Holder: lease.Holder(holder), Newest: s.newestGeneration, Above: s.above,
	}, wait)
	if err != nil {
		return nil, s.lockError(err)
	}
	l := &remoteSession{s: s, held: held, command: holder.Command}
	err = l.begin(held.Context())
	if over && errors.Is(err, ErrDamaged) {
		err = l.beginOver(held.Context(), err)
	}
	if err != nil {
		if s.fenced {
			held.KeepOpen() // released, the next holder would not know that a fence is owed
		}
		var lost *lease.LostError
		if errors.As(context.Cause(held.Context()), &lost) && !errors.Is(err, ErrUnknownOutcome) {
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

// lockError names the holder as other locks do.
func (s *remote) lockError(err error) error {
	var held *lease.HeldError
	if errors.As(err, &held) {
		return &LockedError{Path: s.place, Holder: Holder(held.Status.Holder), Detail: held.Error()}
	}
	return err
}

// newestGeneration is that of the newest record, for a lease that is gone.
func (s *remote) newestGeneration(ctx context.Context) (uint64, bool, error) {
	h, err := s.head(ctx)
	if errors.Is(err, ErrDamaged) {
		rem, err := s.chain.Remains(ctx)
		if err != nil {
			return 0, false, err
		}
		return s.known(ctx, rem).Generation, true, nil
	}
	if err != nil {
		return 0, false, err
	}
	return h.meta.Generation, h.meta.Slot > 0, h.close()
}

// begin loads the head and writes the fence.
func (l *remoteSession) begin(ctx context.Context) error {
	h, err := l.s.head(ctx)
	if err != nil {
		return err
	}
	l.replica, l.saved = h.replica, h.saved
	if h.shared {
		if l.replica, err = l.replica.private(ctx, l.s.dir); err != nil {
			return err
		}
	}
	if h.meta.Generation > l.held.Generation() {
		return l.tooOld(ctx, h.meta.Generation)
	}
	if l.lineage = h.meta.Lineage; l.lineage == "" {
		l.lineage = newLineage()
	}
	if !l.held.OwesFence() && !l.s.fenced {
		return nil
	}
	rec := l.record(nil)
	out, err := l.append(ctx, rec)
	if out != chain.Done {
		return l.undecided(out, err)
	}
	l.held.Fenced()
	l.s.fenced = false
	return l.replica.skip(rec, l.s.dir)
}

// record returns the record that would come next.
func (l *remoteSession) record(payload []byte) *chain.Record {
	at := l.replica.position()
	return &chain.Record{Serial: at.Serial + 1, Prev: at.Digest, Lineage: l.lineage, Generation: l.held.Generation(), Time: time.Now().UTC(),
		Program: l.s.program, Command: l.command, Host: hostName(), Payload: payload}
}

// appendGrace is how long an append that was begun is still carried on after the work
// was told to end: its outcome is worth more than a quick end.
const appendGrace = 15 * time.Second

// append appends a record. The end of ctx ends it only some time later.
func (l *remoteSession) append(ctx context.Context, rec *chain.Record) (chain.Outcome, error) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(appendGrace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-inner.Done():
		}
	})
	defer stop()
	out, other, err := l.s.chain.Append(inner, rec, l.held.Valid)
	if other != nil && err == nil {
		err = fmt.Errorf("record %d of the log was made by %s on %s at %s: %w", other.Serial, other.Command, other.Host, other.Time.Format(time.RFC3339), ErrLost)
	}
	return out, err
}

// undecided ends the session after an append that is not done.
func (l *remoteSession) undecided(out chain.Outcome, err error) error {
	if out == chain.Unknown {
		l.held.KeepOpen()
		l.broken = fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		return l.broken
	}
	if err == nil {
		err = fmt.Errorf("another record stands in the log: %w", ErrLost)
	}
	if errors.Is(err, ErrLost) || !l.held.Valid() {
		l.broken = l.lost(err)
		return l.broken
	}
	return err
}

// whoTime is how long asking who has the lease may take.
const whoTime = 10 * time.Second

// Lost says how the lease was lost, if it is not valid any more or, by the store, another's
// or gone.
func (l *remoteSession) Lost() error {
	if l.held.Valid() {
		ctx, cancel := context.WithTimeout(context.Background(), whoTime)
		defer cancel()
		if err := l.Confirm(ctx); errors.Is(err, ErrLost) {
			return err
		}
		return nil
	}
	return l.lost(errors.New("it was not renewed in time"))
}

// lost names how the lease was lost, and to whom if the store says so; else with err.
func (l *remoteSession) lost(err error) error {
	var lost *lease.LostError
	ctx, cancel := context.WithTimeout(context.Background(), whoTime)
	defer cancel()
	if !errors.As(context.Cause(l.held.Context()), &lost) {
		errors.As(l.held.Check(ctx), &lost)
	}
	if lost != nil {
		err = lost
	}
	if lost != nil && lost.By == nil { // the store was slow to say
		if by, serr := lease.Show(ctx, l.s.store, leaseKey); serr == nil && by != nil && by.ID != l.held.ID() {
			err = &lease.LostError{Place: lost.Place, By: by, Reason: "it was taken over by " + by.Holder.String()}
		}
	}
	return &LostError{Place: l.s.place, Err: err}
}

// Context returns a context that ends with the lease, too.
func (l *remoteSession) Context(ctx context.Context) context.Context {
	out, cancel := context.WithCancelCause(ctx)
	held := l.held.Context()
	context.AfterFunc(held, func() {
		var lost *lease.LostError
		if errors.As(context.Cause(held), &lost) {
			cancel(&LostError{Place: l.s.place, Err: lost})
		}
	})
	return out
}

// Generation is that of the lease.
func (l *remoteSession) Generation() uint64 { return l.held.Generation() }

// Confirm reads the lease.
func (l *remoteSession) Confirm(ctx context.Context) error {
	err := l.held.Check(ctx)
	var lost *lease.LostError
	if errors.As(err, &lost) {
		return &LostError{Place: l.s.place, Err: lost}
	}
	return err
}

// usable fails if nothing more may be done.
func (l *remoteSession) usable() error {
	switch {
	case l.broken != nil:
		return l.broken
	case l.over != nil:
		return l.over
	case l.replica == nil:
		return errNotLocked
	case !l.held.Valid():
		return l.lost(errors.New("it was not renewed in time"))
	}
	return nil
}

// Head returns where the replica stands.
func (l *remoteSession) Head(context.Context) (Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return Head{}, err
	}
	return Head{Serial: l.replica.meta.Serial, Lineage: l.lineage, Generation: l.held.Generation()}, nil
}

// Load decodes the replica. It fails once nothing more may be done: who has no view of
// the state removes nothing.
func (l *remoteSession) Load(context.Context) (*Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	return l.replica.load()
}

// Commit appends the transaction to the log, when it is ready in the replica.
func (l *remoteSession) Commit(ctx context.Context, tx *Tx) (Outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil && !(tx.replaces && l.replacing()) {
		return Refused, err
	}
	payload, err := encodeTx(tx)
	if err != nil {
		return Refused, err
	}
	rec, out := l.record(payload), Done
	rec.Successor = tx.successor
	_, err = l.replica.run(tx, rec, l.s.dir, func() error {
		if err := failpoint.Hit(ctx, failpoint.StateCommitBefore); err != nil {
			return err
		}
		became, err := l.append(ctx, rec)
		if became == chain.Done {
			return nil
		}
		if out = Refused; became == chain.Unknown {
			out = Unknown
		}
		return l.undecided(became, err)
	})
	if err != nil {
		return l.failed(out, rec, err)
	}
	if l.replica.position() != rec.Position() {
		return Done, nil // it changes nothing
	}
	l.committed = true
	if err := l.replaced(ctx); err != nil {
		return Done, err
	}
	l.checkpointSometimes(ctx)
	return Done, failpoint.Hit(ctx, failpoint.StateCommitAfter)
}

// failed says what became of a transaction that did not get into the replica. If its
// record stands, the replica is of no use any more.
func (l *remoteSession) failed(out Outcome, rec *chain.Record, err error) (Outcome, error) {
	if out != Done || rec.Digest() == (chain.Digest{}) {
		if out == Done {
			out = Refused // nothing was sent
		}
		return out, err
	}
	l.broken = fmt.Errorf("record %d stands in the log, but this process's copy of the state is behind: %w; run again", rec.Serial, err)
	return Done, l.broken
}

// Collect removes what nothing needs any more, if its holder has committed anything.
func (l *remoteSession) Collect(ctx context.Context, keep func(id string) bool) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return 0, err
	}
	if err := failpoint.Hit(ctx, failpoint.CollectBefore); err != nil {
		return 0, err
	}
	if !l.committed {
		return 0, failpoint.Hit(ctx, failpoint.CollectAfter)
	}
	removed, err := l.collect(ctx, keep)
	if err != nil {
		return removed, fmt.Errorf("collect objects: %w", err)
	}
	return removed, failpoint.Hit(ctx, failpoint.CollectAfter)
}

// Adopt does nothing: no earlier version kept objects elsewhere.
func (l *remoteSession) Adopt(context.Context, iter.Seq[Ref]) error { return nil }

// Unlock writes the checkpoint of what was committed, keeps the replica in the cache,
// and releases the lease.
func (l *remoteSession) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.held.Context()), unlockTime)
	defer cancel()
	if l.broken == nil && l.replica != nil && l.committed && l.held.Valid() {
		l.checkpoint(ctx)
		_ = l.s.cache.keep(ctx, l.replica)
	}
	l.s.mu.Lock()
	if l.s.session == l {
		l.s.session = nil
	}
	l.s.mu.Unlock()
	err := errors.Join(l.held.Release(ctx), l.replica.close())
	l.replica = nil
	if err != nil {
		return fmt.Errorf("unlock state: %w", err)
	}
	return nil
}

// unlockTime is how long giving a lease back may take.
const unlockTime = 30 * time.Second
