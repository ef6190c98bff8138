package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/internal/failpoint"
)

// Holder says who holds the lock, for the message to those who want it too.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	User    string    `json:"user"`
	Command string    `json:"command"` // verb only, never flags: they may hold secrets
	Since   time.Time `json:"since"`
}

// NewHolder describes this process.
func NewHolder(command string) Holder {
	h := Holder{PID: os.Getpid(), Command: command, Since: time.Now().UTC().Truncate(time.Second)}
	if host, err := os.Hostname(); err == nil {
		h.Host = host
	}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	return h
}

// localLock is the Session of a state in a file. It dies with its process.
type localLock struct {
	store *local
	file  *os.File // nil when unlocked

	warnings []string
	// generation is the last one of the leases that the state had where it was before.
	generation uint64
}

// Context returns ctx: the lock is held until it is given back.
func (l *localLock) Context(ctx context.Context) context.Context { return ctx }

// Generation returns that of the file: who had the lock before is dead.
func (l *localLock) Generation() uint64 { return l.generation }

// Lost returns nil: the lock ends with its process.
func (l *localLock) Lost() error { return nil }

// Warnings returns which backups hold what an added mask hides.
func (l *localLock) Warnings() []string { return l.warnings }

// Confirm fails if the file of the lock was removed.
func (l *localLock) Confirm(context.Context) error { return l.check() }

// Lock takes a lock on a file; the error is a *LockedError when another has it. The
// folder of the state is made, the state file is not.
func (s *local) Lock(ctx context.Context, holder Holder, wait time.Duration) (Session, error) {
	if _, err := s.Exists(); err != nil {
		return nil, err
	}
	if err := makeDir(filepath.Dir(s.path)); err != nil {
		return nil, fmt.Errorf("lock state: %w", err)
	}
	f, err := s.takeLock(ctx, wait)
	if err != nil {
		return nil, err
	}
	s.forget()
	l := &localLock{store: s, file: f}
	if err := l.prepare(ctx, holder); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	_ = s.learn(ctx) // what is wrong with the state its first reader says
	l.generation = s.owner.generation
	return l, nil
}

// minLockWait outlasts the moment between a holder's lock and his name, and
// that of his going.
const minLockWait = 20 * time.Millisecond

func (s *local) takeLock(ctx context.Context, wait time.Duration) (*os.File, error) {
	deadline := time.Now().Add(max(wait, minLockWait))
	for {
		f, err := os.OpenFile(s.lockPath(), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock state: %w", err)
		}
		err = flock(ctx, f, unix.LOCK_EX, time.Until(deadline))
		if err == nil && sameFile(f, s.lockPath()) {
			return f, nil
		}
		holder := readHolder(f)
		if e := f.Close(); err == nil { // the file was removed while we waited: take the new one
			err = e
		}
		if errors.Is(err, errBusy) {
			return nil, &LockedError{Path: s.path, Holder: holder}
		}
		if err != nil {
			return nil, fmt.Errorf("lock state: %w", err)
		}
	}
}

// sameFile reports whether f still is the file at path.
func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Lstat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// readHolder returns the zero Holder when the file does not say.
func readHolder(f *os.File) Holder {
	var h Holder
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 64<<10))
	if err != nil || json.Unmarshal(data, &h) != nil {
		return Holder{}
	}
	return h
}

// prepare says who holds the lock, makes the file that readers lock, and removes
// the half-made state file of one who was killed.
func (l *localLock) prepare(ctx context.Context, holder Holder) error {
	data, err := json.Marshal(holder)
	if err == nil {
		err = l.file.Truncate(0)
	}
	if err == nil {
		_, err = l.file.WriteAt(append(data, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("lock state: write the holder's name: %w", err)
	}
	readers, err := os.OpenFile(l.store.readersPath(), os.O_RDONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(readers.Close(), removeIfThere(l.store.newPath()))
	}
	if err != nil {
		return fmt.Errorf("lock state: %w", err)
	}
	return failpoint.Hit(ctx, failpoint.LockAcquired)
}

// Unlock gives the right back. A second call does nothing.
func (l *localLock) Unlock() error {
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Truncate(0), release(l.file))
	l.file = nil
	if err != nil {
		return fmt.Errorf("unlock state: %w", err)
	}
	return nil
}

// check fails when the lock is not held any more: unlocked, or its file removed
// by somebody, so that another process may hold a lock as well.
func (l *localLock) check() error {
	if l.file == nil {
		return errors.New("the lock of the state is not held")
	}
	if !sameFile(l.file, l.store.lockPath()) {
		return fmt.Errorf("the lock file %s was removed or replaced while it was held: run again", l.store.lockPath())
	}
	return nil
}

// Load is Store.Load for the holder of the lock, whose own snapshots do not
// keep his own collection waiting. Its Snapshot need not be closed.
func (l *localLock) Load(ctx context.Context) (*Snapshot, error) {
	return l.store.load(ctx)
}
