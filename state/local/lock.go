package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/files"
)

// Lock takes a lock on a file; the error is a *state.LockedError when another has it. The
// folder of the state is made, the state file is not.
func (s *backend) Lock(ctx context.Context, holder state.Holder, wait time.Duration) (state.Session, error) {
	if _, err := s.at.exists(); err != nil {
		return nil, err
	}
	f, err := takeLock(ctx, s.at, wait)
	if err != nil {
		return nil, err
	}
	s.folder.forget()
	l := &session{at: s.at, file: s.file, folder: s.folder, objects: s.objects, lock: f}
	if err := prepare(ctx, s.at, f, holder); err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	l.generation = s.folder.relearn(ctx)
	return l, nil
}

// LockOver is Lock, which does not look at the content.
func (s *backend) LockOver(ctx context.Context, holder state.Holder, wait time.Duration) (state.Session, error) {
	return s.Lock(ctx, holder, wait)
}

// minLockWait outlasts the moment between a holder's lock and his name, and
// that of his going.
const minLockWait = 20 * time.Millisecond

// takeLock makes the folder of the state, if need be, and locks the file there.
func takeLock(ctx context.Context, at paths, wait time.Duration) (*os.File, error) {
	deadline := time.Now().Add(max(wait, minLockWait))
	for {
		var f *os.File
		err := files.InDir(filepath.Dir(at.file()), func() (err error) {
			f, err = files.OpenOwn(at.lock(), os.O_RDWR|os.O_CREATE)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("lock state: %w", err)
		}
		err = files.Lock(ctx, f, unix.LOCK_EX, time.Until(deadline))
		if err == nil && files.Same(f, at.lock()) {
			return f, nil
		}
		holder := readHolder(f)
		if e := f.Close(); err == nil { // the file was removed while we waited: take the new one
			err = e
		}
		if errors.Is(err, files.ErrBusy) {
			return nil, &state.LockedError{Path: at.file(), Holder: holder}
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("lock state: %w", err)
		}
	}
}

// readHolder returns the zero Holder when the file does not say.
func readHolder(f *os.File) state.Holder {
	var h state.Holder
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 64<<10))
	if err != nil || json.Unmarshal(data, &h) != nil {
		return state.Holder{}
	}
	return h
}

// prepare says who holds the lock, makes the file that readers lock, and removes
// the half-made state file of one who was killed.
func prepare(ctx context.Context, at paths, lock *os.File, holder state.Holder) error {
	data, err := json.Marshal(holder)
	if err == nil {
		err = lock.Truncate(0)
	}
	if err == nil {
		_, err = lock.WriteAt(append(data, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("lock state: write the holder's name: %w", err)
	}
	readers, err := files.OpenOwn(at.readers(), os.O_RDONLY|os.O_CREATE)
	if err == nil {
		err = errors.Join(readers.Close(), files.RemoveIfThere(at.newFile()))
	}
	if err != nil {
		return fmt.Errorf("lock state: %w", err)
	}
	return failpoint.Hit(ctx, failpoint.LockAcquired)
}
