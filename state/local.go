package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/state/internal/boltfile"
)

// DefaultInlineLimit is the size in bytes up to which an object stays inside
// the state file.
const DefaultInlineLimit = 32 << 10

const defaultReadTimeout = 10 * time.Second

// Options are the settings of a Store. The zero value of a field means its
// default.
type Options struct {
	// Program is the version that is written into the file.
	Program string
	// InlineLimit is the size in bytes up to which an object stays inside the
	// state file: DefaultInlineLimit, or none at all when negative.
	InlineLimit int
	// ReadTimeout bounds the wait for the state file while others read it or
	// commit, which takes them milliseconds. The default is 10 seconds.
	ReadTimeout time.Duration
}

// local is the Backend of a state in a file. It holds nothing open between two calls,
// and may be used by several goroutines.
type local struct {
	format
	path  string
	opts  Options
	owner owner
}

// Open returns the state in the file at path. It does no I/O; a file that does not
// exist is an empty state, made by the first transaction.
func Open(path string, o Options) *Store {
	if o.InlineLimit == 0 {
		o.InlineLimit = DefaultInlineLimit
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = defaultReadTimeout
	}
	return &Store{&local{format: format{place: path, program: o.Program}, path: path, opts: o}}
}

// Place returns the path of the state file.
func (s *local) Place() string { return s.path }

const (
	lockSuffix    = ".lock"
	readersSuffix = ".readers"
	newSuffix     = ".new"
	backupsSuffix = ".backups"
)

func (s *local) lockPath() string    { return s.path + lockSuffix }
func (s *local) readersPath() string { return s.path + readersSuffix }
func (s *local) newPath() string     { return s.path + newSuffix }

// Exists reports whether there is a state file. One that is not a regular file
// is an error: behind a symbolic link the lock and the objects would not be
// those of the file.
func (s *local) Exists() (bool, error) {
	info, err := os.Lstat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, s.checkName()
	case err != nil:
		return false, fmt.Errorf("find state file: %w", err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("state file %s is a %s, want a regular file: name the file itself", s.path, kindOf(info))
	}
	return true, nil
}

// checkName refuses a new state a name that the files of another one beside it
// could have.
func (s *local) checkName() error {
	for _, suffix := range []string{lockSuffix, readersSuffix, newSuffix, objectsSuffix, backupsSuffix} {
		if strings.HasSuffix(strings.ToLower(s.path), suffix) {
			return fmt.Errorf("state file %s: names that end in %s are for what lies beside a state: choose another one", s.path, suffix)
		}
	}
	return nil
}

func kindOf(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "folder"
	case info.Mode()&fs.ModeSymlink != 0:
		return "symbolic link"
	}
	return "special file"
}

// openFile opens the state file with the lock how on it. The caller releases
// it. A file that does not exist gives nil and no error.
func (s *local) openFile(ctx context.Context, flags, how int) (*os.File, error) {
	if ok, err := s.Exists(); err != nil || !ok {
		return nil, err
	}
	f, err := os.OpenFile(s.path, flags, 0)
	if err != nil {
		return nil, fmt.Errorf("open state file: %w", err)
	}
	if err := flock(ctx, f, how, s.opts.ReadTimeout); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// view calls fn with the content of the state file under a shared lock; false
// says that there is no file. fn copies what it wants to keep.
func (s *local) view(ctx context.Context, fn func(*boltfile.View) error) (bool, error) {
	f, err := s.openFile(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil || f == nil {
		return false, err
	}
	err = s.damaged(boltfile.Read(f, fn))
	if e := release(f); err == nil {
		err = e
	}
	return true, err
}

// Try returns nil: each transaction says what is wrong.
func (s *local) Try(context.Context) error { return nil }

// Serial returns the number of transactions so far, without verifying more than that
// number.
func (s *local) Serial(ctx context.Context) (uint64, error) {
	var meta metaRecord
	exists, err := s.view(ctx, func(v *boltfile.View) (err error) {
		meta, err = s.readMeta(v)
		return err
	})
	if err != nil || !exists {
		return 0, err
	}
	return meta.Serial, nil
}
