package state

import (
	"context"
	"iter"
	"time"

	"reconcile/internal/blob"
)

// Backend is where a state lives: what a Store needs of it. It may be used by several
// goroutines.
type Backend interface {
	// Place names it in messages: a path or a URL.
	Place() string
	// Load returns the newest content, verified; an empty Snapshot where there is no
	// state. It waits for no writer.
	Load(ctx context.Context) (*Snapshot, error)
	// Serial returns the number of the newest transaction, 0 where there is no state.
	Serial(ctx context.Context) (uint64, error)
	// OpenObject opens an object that a Snapshot names.
	OpenObject(ctx context.Context, ref Ref) (*Object, error)
	// NewObject begins an object. Only the holder of the lock makes objects.
	NewObject(ctx context.Context) *ObjectWriter
	// ObjectPin changes when the bytes of an object may have changed; it is empty if
	// there is no object.
	ObjectPin(ref Ref) string
	// CheckObjects fails when the objects there are of another state than snap.
	CheckObjects(snap *Snapshot) error
	// Lock takes the one right to write, waiting for it up to wait. The error matches
	// ErrLocked if another holds it.
	Lock(ctx context.Context, holder Holder, wait time.Duration) (Session, error)
	// LockOver is Lock, also where the content cannot be read. Then only Over, Commit of
	// what replaces all, and Unlock do anything.
	LockOver(ctx context.Context, holder Holder, wait time.Duration) (Session, error)
	// ExceedGeneration makes the generations of sessions to come greater than a number,
	// where there are any.
	ExceedGeneration(generation uint64)
	// Copy returns the newest content, proved, as a file of this process.
	Copy(ctx context.Context) (*Copy, error)
	// KeptBackups returns a store and the folder in it that has one folder for each backup
	// that the state keeps of itself; with create it can be written to.
	KeptBackups(create bool) (store blob.Store, folder string, err error)
	// SetAside keeps a damaged state under a name, and returns where; empty if nothing
	// that follows harms it.
	SetAside(name string) (string, error)
	// Try finds out whether the place can be written to and keeps what transactions need
	// there. It leaves nothing behind.
	Try(ctx context.Context) error
	// LockStatus returns how the lock stands. It takes and changes nothing.
	LockStatus(ctx context.Context) (*LockStatus, error)
	// ForceUnlock takes the lock with this ID from its holder, for whom it may last
	// until LockStatus.FreeIn is over. It fails where locks end with their process,
	// naming it, and with a *NotHeldError if nobody has the lock.
	ForceUnlock(ctx context.Context, id string) error
}

// Session is the right to write a state, of one holder. It may be used by several
// goroutines; its user makes one transaction, collection or compaction at a time.
type Session interface {
	// Context returns a context that ends with ctx, or when the right is lost; its
	// cause then says to whom.
	Context(ctx context.Context) context.Context
	// Begin says of which lineage a state is that the session makes, where there is none;
	// without it a new one.
	Begin(lineage string)
	// Generation grows with each holder of a lease. Where locks end with their process it
	// is the last one of the place that the state was moved from, 0 if that had none.
	Generation() uint64
	// Confirm fails if the right is lost, asking where that can happen unnoticed.
	Confirm(ctx context.Context) error
	// Lost returns how the right was lost, nil while it is held. It is for who failed:
	// that may be why, and not have been noticed yet.
	Lost() error
	// Head returns what the next transaction comes behind.
	Head(ctx context.Context) (Head, error)
	// Over says what a transaction that replaces all comes over, and makes ready for
	// objects of a state of that lineage. It fails with *LineageError where another
	// state stands.
	Over(ctx context.Context, lineage string) (Base, error)
	// Load is that of the Backend; the Snapshot keeps no collection waiting.
	Load(ctx context.Context) (*Snapshot, error)
	// Commit makes a transaction the newest, durably and at once, and tells what became
	// of it. With Done, an error is of what follows the commit. One that changes nothing
	// is not written, and Done.
	Commit(ctx context.Context, tx *Tx) (Outcome, error)
	// Collect removes the objects that keep denies, as far as no reader can need them.
	Collect(ctx context.Context, keep func(id string) bool) (removed int, err error)
	// Compact removes what deleted records left behind.
	Compact(ctx context.Context) error
	// Adopt brings objects that an earlier version kept elsewhere to where they belong.
	Adopt(ctx context.Context, refs iter.Seq[Ref]) error
	// Warnings returns what went wrong without harm to the state, for people.
	Warnings() []string
	// Unlock gives the right back. A second call does nothing.
	Unlock() error
}

// Outcome says what became of a transaction.
type Outcome int

const (
	// Refused: it is not, and never becomes, part of the state.
	Refused Outcome = iota
	// Done: it is the newest of the state.
	Done
	// Unknown: nobody can tell yet. What it names must stay.
	Unknown
)
