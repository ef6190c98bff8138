// Package files has what a state needs of the files of this machine: locks on them that
// end with their process, names that are durable, and files without a name.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy says that a lock of a file was not to be had in time.
var ErrBusy = errors.New("still in use by another process")

// Lock takes the lock how (unix.LOCK_SH or LOCK_EX) on f, waiting for it up to
// wait. It belongs to f and ends when f is closed, however the process ends.
func Lock(ctx context.Context, f *os.File, how int, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("lock %s: %w", f.Name(), ErrBusy)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", f.Name(), ctx.Err())
		case <-time.After(min(pause, left)):
		}
	}
}

// OpenOwn opens a regular file, which it makes if flags say so. What else has its name,
// as a symbolic link or a named pipe, is an error at once.
func OpenOwn(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return nil, &notOwnError{path}
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		if err == nil {
			err = &notOwnError{path}
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// notOwnError says that something else has the name of a file.
type notOwnError struct{ path string }

func (e *notOwnError) Error() string {
	return e.path + " is a symbolic link or a special file, and not the file that belongs there: remove it"
}

// Release drops the lock of f and closes it. The lock has to be dropped by
// hand: a mapping that a panic left behind would keep it.
func Release(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_UN)
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// MakeDir makes a folder and those above it, durable, open to their owner only.
func MakeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("make folder %s: a file has that name", dir)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// inDirTries is how often a folder is made that others keep removing while it is empty.
const inDirTries = 100

// InDir runs act, which makes a name in a folder that MakeDir makes, and does both again
// when somebody removed the folder before the name was in it.
func InDir(dir string, act func() error) error {
	var err error
	for try := range inDirTries {
		if err = MakeDir(dir); err == nil {
			err = act()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// A folder is seen for a moment after nothing can be made in it any more.
		time.Sleep(time.Duration(try) * 50 * time.Microsecond)
	}
	return err
}

// Rename moves a durable file to its name and makes the name durable.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// Duplicate returns another handle on the same open file.
func Duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s again: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// TempPrefix begins the names of files that are being written.
const TempPrefix = "tmp-"

// Temp makes a file in a folder, empty for the system's, that goes with its last handle.
func Temp(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, TempPrefix+"state-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// RemoveIfThere removes a file; that there is none is no error.
func RemoveIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// GlobEscape makes a path match itself only.
func GlobEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Same reports whether f still is the file at path.
func Same(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Lstat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
