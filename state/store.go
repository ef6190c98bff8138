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

// Store is the state at one path. It holds nothing open between two calls, and
// may be used by several goroutines.
type Store struct {
	path  string
	opts  Options
	owner owner
}

// Open returns the store at path. It does no I/O; a file that does not exist is
// an empty state, made by the first transaction.
func Open(path string, o Options) *Store {
	if o.InlineLimit == 0 {
		o.InlineLimit = DefaultInlineLimit
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = defaultReadTimeout
	}
	return &Store{path: path, opts: o}
}

// Path returns the path of the state file.
func (s *Store) Path() string { return s.path }

const (
	lockSuffix    = ".lock"
	readersSuffix = ".readers"
	newSuffix     = ".new"
)

func (s *Store) lockPath() string    { return s.path + lockSuffix }
func (s *Store) readersPath() string { return s.path + readersSuffix }
func (s *Store) newPath() string     { return s.path + newSuffix }

// Exists reports whether there is a state file. One that is not a regular file
// is an error: behind a symbolic link the lock and the objects would not be
// those of the file.
func (s *Store) Exists() (bool, error) {
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
func (s *Store) checkName() error {
	for _, suffix := range []string{lockSuffix, readersSuffix, newSuffix, objectsSuffix} {
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

// damaged turns what boltfile found into the error that names the file and what
// to do, and leaves other errors alone.
func (s *Store) damaged(err error) error {
	if errors.Is(err, boltfile.ErrCorrupt) {
		return &DamagedError{Path: s.path, Reason: err.Error()}
	}
	return err
}

func (s *Store) damagedRecord(b bucket, key []byte, err error) error {
	return &DamagedError{Path: s.path, Reason: fmt.Sprintf("record %q of %s: %v", key, b, err)}
}

// openFile opens the state file with the lock how on it. The caller releases
// it. A file that does not exist gives nil and no error.
func (s *Store) openFile(ctx context.Context, flags, how int) (*os.File, error) {
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
func (s *Store) view(ctx context.Context, fn func(*boltfile.View) error) (bool, error) {
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

// Serial returns the number of transactions so far, without verifying more than that
// number.
func (s *Store) Serial(ctx context.Context) (uint64, error) {
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

// readMeta returns the meta record of a view, checked on its own only.
func (s *Store) readMeta(v *boltfile.View) (metaRecord, error) {
	value, err := v.Get(bMeta.String(), []byte(metaKey))
	if err != nil {
		return metaRecord{}, err
	}
	if value == nil {
		return metaRecord{}, &DamagedError{Path: s.path, Reason: "it says nowhere what it is"}
	}
	payload, _, err := unseal(bMeta, []byte(metaKey), value)
	if err != nil {
		return metaRecord{}, s.damagedRecord(bMeta, []byte(metaKey), err)
	}
	return s.decodeMeta(payload)
}

func (s *Store) decodeMeta(payload []byte) (metaRecord, error) {
	mode, err := decMode()
	if err != nil {
		return metaRecord{}, err
	}
	var head struct {
		Format  uint32 `cbor:"1,keyasint"`
		Program string `cbor:"2,keyasint"`
	}
	if err := mode.Unmarshal(payload, &head); err != nil {
		return metaRecord{}, s.damagedRecord(bMeta, []byte(metaKey), err)
	}
	if head.Format > formatVersion {
		return metaRecord{}, &VersionError{Path: s.path, Found: head.Format, Supported: formatVersion,
			Writer: head.Program, Reader: s.opts.Program}
	}
	var m metaRecord
	if err := mode.Unmarshal(payload, &m); err != nil {
		return metaRecord{}, s.damagedRecord(bMeta, []byte(metaKey), err)
	}
	return m, nil
}
