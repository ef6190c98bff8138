package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/kv"
)

// session is the right to write a state in an object store.
//
// Its replica stands at the head of the log: nobody else can append while the lease is
// held, and whatever appended before is behind the fence of a take-over. Once an
// outcome is unknown, or the log has a record of somebody else, nothing more is done.
type session struct {
	right
	log     *history
	command string
	done    func() // called by Unlock
	fence   bool   // to be written though the lease owes none

	mu        sync.Mutex
	replica   *replica
	lineage   string // of a state about to be made
	committed bool   // something was appended
	saved     uint64 // serial of the record of the newest checkpoint
	broken    error  // why nothing more may be done
	over      error  // the damage of what stands there, until it is replaced
	warnings  []string
}

// Begin says of which lineage a state is that the session makes.
func (l *session) Begin(lineage string) {
	if l.replica.Meta.Lineage == "" && !l.committed {
		l.lineage = lineage
	}
}

// begin loads the head and writes the fence.
func (l *session) begin(ctx context.Context) error {
	h, err := l.log.head(ctx)
	if err != nil {
		return err
	}
	l.replica, l.saved = h.replica, h.saved
	if h.shared {
		if l.replica, err = l.replica.detach(ctx); err != nil {
			return err
		}
	}
	if h.Meta.Generation > l.held.Generation() {
		return l.tooOld(ctx, h.Meta.Generation)
	}
	if l.lineage = h.Meta.Lineage; l.lineage == "" {
		l.lineage = kv.NewLineage()
	}
	if !l.held.OwesFence() && !l.fence {
		return nil
	}
	rec := l.record(nil)
	out, err := appendRecord(ctx, l.log.chain, rec, l.held.Valid)
	if out != chain.Done {
		return l.undecided(out, err)
	}
	l.held.Fenced()
	l.fence = false
	return l.replica.skip(rec)
}

// record returns the record that would come next. One without a transaction leaves the format
// as it is: before that is raised, the state is backed up.
func (l *session) record(payload []byte) *chain.Record {
	at, format := l.replica.position(), l.log.format.Newest()
	if m := l.replica.Meta; len(payload) == 0 && m.Format > 0 {
		format = state.Format{Number: m.Format, Program: m.Needs}
	}
	return &chain.Record{Format: format.Number, Needs: format.Program, Serial: at.Serial + 1, Prev: at.Digest, Lineage: l.lineage, Generation: l.held.Generation(), Time: time.Now().UTC(),
		Program: l.log.format.Program, Command: l.command, Host: hostName(), Payload: payload}
}

// undecided ends the session after an append that is not done.
func (l *session) undecided(out chain.Outcome, err error) error {
	if out == chain.Unknown {
		l.held.KeepOpen()
		l.broken = fmt.Errorf("%w: %w", state.ErrUnknownOutcome, err)
		return l.broken
	}
	if err == nil {
		err = fmt.Errorf("another record stands in the log: %w", state.ErrLost)
	}
	if errors.Is(err, state.ErrLost) || !l.held.Valid() {
		l.broken = l.lost(err)
		return l.broken
	}
	return err
}

// usable fails if nothing more may be done.
func (l *session) usable() error {
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
func (l *session) Head(context.Context) (state.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return state.Head{}, err
	}
	head := state.Head{Serial: l.replica.Meta.Serial, Lineage: l.lineage, Generation: l.held.Generation()}
	if head.Serial > 0 {
		head.Raise = state.RaiseOf(l.replica.Meta.Format, l.log.format.Newest())
	}
	return head, nil
}

// Load decodes the replica. It fails once nothing more may be done: who has no view of
// the state removes nothing.
func (l *session) Load(context.Context) (*state.Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	return l.replica.Load()
}

// Commit appends the transaction to the log, when it is ready in the replica.
func (l *session) Commit(ctx context.Context, tx *state.Tx) (state.Outcome, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := tx.Changes()
	if err := l.usable(); err != nil && !(c.Replaces && l.replacing()) {
		return state.Refused, err
	}
	payload, err := c.Encode()
	if err != nil {
		return state.Refused, err
	}
	rec, out := l.record(payload), state.Done
	rec.Successor = c.Successor
	err = l.replica.run(c, rec, func() error {
		if err := failpoint.Hit(ctx, failpoint.StateCommitBefore); err != nil {
			return err
		}
		became, err := appendRecord(ctx, l.log.chain, rec, l.held.Valid)
		if became == chain.Done {
			return nil
		}
		if out = state.Refused; became == chain.Unknown {
			out = state.Unknown
		}
		return l.undecided(became, err)
	})
	if err != nil {
		return l.failed(out, rec, err)
	}
	if l.replica.position() != rec.Position() {
		return state.Done, nil // it changes nothing
	}
	l.committed = true
	if err := l.replaced(ctx); err != nil {
		return state.Done, err
	}
	if l.replica.Meta.Slot-l.saved >= recordsPerCheckpoint {
		l.checkpoint(ctx)
	}
	return state.Done, failpoint.Hit(ctx, failpoint.StateCommitAfter)
}

// failed says what became of a transaction that did not get into the replica. If its
// record stands, the replica is of no use any more.
func (l *session) failed(out state.Outcome, rec *chain.Record, err error) (state.Outcome, error) {
	if out != state.Done || rec.Digest() == (chain.Digest{}) {
		if out == state.Done {
			out = state.Refused // nothing was sent
		}
		return out, err
	}
	l.broken = fmt.Errorf("record %d stands in the log, but this process's copy of the state is behind: %w; run again", rec.Serial, err)
	return state.Done, l.broken
}

// Collect removes what nothing needs any more, if its holder has committed anything.
func (l *session) Collect(ctx context.Context, keep func(id string) bool) (int, error) {
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
func (l *session) Adopt(context.Context, iter.Seq[state.Ref]) error { return nil }

// Unlock writes the checkpoint of what was committed, keeps the replica in the cache,
// and releases the lease.
func (l *session) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.held.Context()), unlockTime)
	defer cancel()
	if l.broken == nil && l.replica != nil && l.committed && l.held.Valid() {
		l.checkpoint(ctx)
		_ = l.log.cache.keep(ctx, l.replica)
	}
	l.done()
	err := errors.Join(l.held.Release(ctx), l.replica.close())
	l.replica = nil
	if err != nil {
		return fmt.Errorf("unlock state: %w", err)
	}
	return nil
}

// unlockTime is how long giving a lease back may take.
const unlockTime = 30 * time.Second
