package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Local is a Store in a folder. Conditions on what is there are exact among
// the users of one Local and, for Absent, among processes; between processes,
// Match is judged directly before the change.
//
// Symbolic links are followed as long as they stay inside the folder; a link
// that leads out of it cannot be read. A folder behind a link is not listed:
// the link is, as an object of its own.
type Local struct {
	// Settle is how long ago a folder must have changed for a fingerprint to count it; 0 means as
	// long as its times need to tell.
	Settle time.Duration

	dir string
	// change serialises judging a condition and acting on it.
	change sync.Mutex
	// folders is write-locked from making a folder until that is durable, so
	// that nobody builds on a folder that a power cut would take away.
	folders sync.RWMutex
}

// NewLocal returns the store in dir. The folder need not exist: reading then
// fails with fs.ErrNotExist, and the first write makes it.
func NewLocal(dir string) (*Local, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", dir, err)
	}
	return &Local{dir: abs}, nil
}

// Root returns the absolute path of the folder.
func (l *Local) Root() string { return l.dir }

// withRoot runs f inside the folder. It is opened again each time, so that a folder
// that was replaced is noticed and the store needs no closing.
func (l *Local) withRoot(ctx context.Context, f func(*os.Root) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return f(root)
}

// Stat returns what is known of a file.
func (l *Local) Stat(ctx context.Context, key string) (Object, error) {
	var o Object
	err := CheckKey(key)
	if err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			if o, err = stat(root, key); err == nil {
				o.Now = time.Now()
			}
			return err
		})
	}
	return o, wrap(err, "look at", l.dir, key)
}

func stat(root *os.Root, key string) (Object, error) {
	info, err := root.Stat(filepath.FromSlash(key))
	if err != nil {
		return Object{}, explain(root, key, err)
	}
	if err := regular(info); err != nil {
		return Object{}, err
	}
	return object(key, info), nil
}

// explain says of an object that cannot be looked at whether a link leads out of
// the store, where it is never followed.
func explain(root *os.Root, key string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	for i := range len(key) + 1 {
		if i < len(key) && key[i] != '/' {
			continue
		}
		part := filepath.FromSlash(key[:i])
		info, lerr := root.Lstat(part)
		if lerr != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if _, serr := root.Stat(part); serr != nil {
			return fmt.Errorf("%s is %w", key[:i], ErrOutside)
		}
	}
	return err
}

// errIrregular reports a folder, a pipe or the like where a file should be.
var errIrregular = errors.New("not a regular file")

func regular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w but of type %s", errIrregular, info.Mode().Type())
	}
	return nil
}

func object(key string, info fs.FileInfo) Object {
	ino, _ := inode(info)
	return localObject(key, info.Size(), info.ModTime(), ino)
}

// localObject is a file with a pin of what is known of it; where files have no
// inodes, ino is 0.
func localObject(key string, size int64, modified time.Time, ino uint64) Object {
	var room [64]byte
	return Object{Key: key, Size: size, Pin: string(appendPin(room[:0], size, modified, ino)), ModTime: modified}
}

func appendPin(b []byte, size int64, modified time.Time, ino uint64) []byte {
	b = append(strconv.AppendInt(b, size, 10), '-')
	b = strconv.AppendInt(b, modified.UnixNano(), 10)
	if ino != 0 {
		b = strconv.AppendUint(append(b, '-'), ino, 10)
	}
	return b
}

// Open opens a file. The handle keeps reading the file that was opened, also
// after another took its name.
func (l *Local) Open(ctx context.Context, key string) (Handle, error) {
	var h Handle
	err := CheckKey(key)
	if err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			h, err = open(root, key)
			return err
		})
	}
	return h, wrap(err, "open", l.dir, key)
}

func open(root *os.Root, key string) (Handle, error) {
	// Opening a pipe must not wait for its other end.
	f, err := root.OpenFile(filepath.FromSlash(key), os.O_RDONLY|openNow, 0)
	if err != nil {
		if _, serr := stat(root, key); serr != nil {
			return nil, serr // says more
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	o := object(key, info)
	o.Now = time.Now()
	return &localHandle{File: f, o: o}, nil
}

type localHandle struct {
	*os.File
	o Object
}

func (h *localHandle) Object() Object { return h.o }

// ReadAhead does nothing: the system reads ahead.
func (h *localHandle) ReadAhead(int) {}

// List returns all files below a folder.
func (l *Local) List(ctx context.Context, prefix string) ([]Object, error) {
	var list []Object
	err := CheckPrefix(prefix)
	if err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error {
			list, err = walk(ctx, root, prefix)
			return explain(root, prefix, err)
		})
	}
	if err != nil {
		return nil, wrap(err, "list", l.dir, prefix)
	}
	sortByKey(list)
	return list, nil
}

// behindLink is the object behind a link or, where that is no file of the
// store, the link itself: a listing must show what a reader's glob would find.
func behindLink(root *os.Root, link Object) Object {
	if o, err := stat(root, link.Key); err == nil {
		return o
	}
	return link
}

// wrap says what was being done to what. Errors of package os repeat the
// operation and the path: only their cause is kept.
func wrap(err error, doing, dir, key string) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return fmt.Errorf("%s %s: %w", doing, filepath.Join(dir, filepath.FromSlash(key)), err)
}
