package state

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"reconcile/internal/amount"
	"reconcile/internal/errclass"
)

var (
	// ErrDamaged is matched by every error that says that the state is not
	// what was written. Such an error names the file and what to do.
	ErrDamaged = errors.New("the state is damaged")
	// ErrMissingObject is matched by the error of an object that is nowhere.
	ErrMissingObject = errors.New("an object of the state is missing")
	// ErrLocked is matched by *LockedError.
	ErrLocked = errors.New("the state is locked")
	// ErrNewer is matched by *VersionError.
	ErrNewer = errors.New("the state has a newer format")
	// ErrUnknownOutcome is matched by the error of a commit of which nobody can tell yet
	// whether it counts. What it staged must not be removed; the next holder of the lock
	// finds out.
	ErrUnknownOutcome = errors.New("it is unknown whether the commit counts")
	// ErrLost is matched by errors of a holder whose lock went to somebody else.
	ErrLost = errclass.New(errclass.LeaseLost, "the lock of the state was lost")
)

// ObjectError says that one object of the state is missing, damaged or cannot be
// read. All else of the state can be used.
type ObjectError struct {
	Ref     Ref
	State   string // path of the state that names it
	Missing bool
	Err     error // what is wrong with it
}

func (e *ObjectError) Error() string {
	how := "is damaged"
	if e.Missing {
		how = "is missing"
	}
	return fmt.Sprintf("object %s (%s) of state %s %s: %v", e.Ref.Digest, amount.Of(e.Ref.Size, "byte"), e.State, how, e.Err)
}

// Is reports whether target is ErrDamaged or, of a missing one, ErrMissingObject.
func (e *ObjectError) Is(target error) bool {
	return target == ErrDamaged && !e.Missing || target == ErrMissingObject && e.Missing
}

func (e *ObjectError) Unwrap() error { return e.Err }

// ErrorClass implements errclass.Classed.
func (e *ObjectError) ErrorClass() (class errclass.Class, about string) {
	return errclass.Damaged, e.Ref.Digest
}

// DamagedError says that the state file is damaged, and how.
type DamagedError struct {
	Path   string
	Reason string
	Remote bool // it lies in an object store
}

func (e *DamagedError) Error() string {
	if e.Remote {
		return fmt.Sprintf("state %s is damaged: %s; `reconcile state restore FROM` brings back a backup, `reconcile state rebuild` makes it anew from the source and the sinks; nothing was changed", e.Path, e.Reason)
	}
	return fmt.Sprintf("state file %s is damaged: %s; `reconcile state restore FROM` brings back a backup, `reconcile state rebuild` makes it anew from the source and the sinks; nothing was changed", e.Path, e.Reason)
}

// Is reports whether target is ErrDamaged.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// ErrorClass implements errclass.Classed. It is about no object: all of the state is.
func (e *DamagedError) ErrorClass() (class errclass.Class, about string) {
	return errclass.Damaged, ""
}

// VersionError says that a newer program wrote the state.
type VersionError struct {
	Path      string
	Found     uint32 // format of the file
	Supported uint32 // the newest that this program reads
	Writer    string // version of the program that wrote it
	Needs     string // the first version that reads it, if it says that
	Reader    string // version of this program
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("state %s has format %d, written by reconcile %s; this is reconcile %s, which reads up to format %d: use reconcile %s or later",
		e.Path, e.Found, e.Writer, e.Reader, e.Supported, cmp.Or(e.Needs, e.Writer))
}

// Is reports whether target is ErrNewer.
func (e *VersionError) Is(target error) bool { return target == ErrNewer }

// LockedError says who holds the lock. A caller exits with code 11.
type LockedError struct {
	Path   string // of the state
	Holder Holder // zero when the holder did not say
	Detail string // all of it, where more is known
}

func (e *LockedError) Error() string {
	h := e.Holder
	if e.Detail != "" {
		return "state " + e.Path + " is locked: " + e.Detail
	}
	if h.PID == 0 {
		return fmt.Sprintf("state %s is locked by another process", e.Path)
	}
	return fmt.Sprintf("state %s is locked by %s@%s (process %d, %q) since %s; wait for it, or give -lock-timeout",
		e.Path, h.User, h.Host, h.PID, h.Command, h.Since.UTC().Format(time.RFC3339))
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// LostError says that the right to write was lost, and to whom. A caller exits with code
// 11.
type LostError struct {
	Place string // of the state
	Err   error  // how
}

func (e *LostError) Error() string {
	return fmt.Sprintf("the lock of state %s was lost: %v; what was committed counts, and the next apply goes on from there", e.Place, e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// Is reports whether target is ErrLost.
func (e *LostError) Is(target error) bool { return target == ErrLost }

// ErrorClass implements errclass.Classed.
func (e *LostError) ErrorClass() (class errclass.Class, about string) {
	return errclass.LeaseLost, ""
}

// PlainBackupsError warns of backups that the state keeps of itself, when a mask was added.
type PlainBackupsError struct {
	Folder string
	Names  []string
}

func (e *PlainBackupsError) Error() string {
	return fmt.Sprintf("the backups in %s still hold plain values that a mask hides by now: remove them by hand (%s)", e.Folder, strings.Join(e.Names, ", "))
}
