package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Unfinished writes bear a hidden name in the folder where they will stand.
const (
	tempPrefix = ".blob-"
	tempSuffix = ".tmp"
)

// TempName returns a new name for what is not an object yet. No listing shows
// such names, and RemoveLeftovers removes them.
func TempName() string { return tempPrefix + rand.Text() + tempSuffix }

// IsTemp reports whether the last name of a key is one of TempName.
func IsTemp(key string) bool { return isTemp(key[strings.LastIndexByte(key, '/')+1:]) }

func isTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

func native(key string) string {
	if key == "" {
		return "."
	}
	return filepath.FromSlash(key)
}

// Create starts writing a file under a temporary name in its folder, which it
// makes if need be.
func (l *Local) Create(ctx context.Context, key string, cond Cond) (Writer, error) {
	if err := CheckWritable(key); err != nil {
		return nil, wrap(err, "create", l.dir, key)
	}
	w := &localWriter{ctx: ctx, l: l, key: key, cond: cond}
	err := l.inMade(ctx, func(root *os.Root) error {
		w.temp = Join(Dir(key), TempName())
		return l.inFolder(root, Dir(key), func() (err error) {
			w.f, err = root.OpenFile(native(w.temp), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			return err
		})
	})
	if err != nil {
		return nil, wrap(err, "create", l.dir, key)
	}
	return w, nil
}

// CheckWritable is CheckKey without the names of unfinished writes, which a
// listing would never show.
func CheckWritable(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if IsTemp(key) {
		return &KeyError{key, "the name is that of an unfinished write"}
	}
	return nil
}

type localWriter struct {
	ctx  context.Context
	l    *Local
	key  string
	temp string
	cond Cond
	f    *os.File // nil once closed
	done bool
}

func (w *localWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.f == nil {
		return 0, wrap(fs.ErrClosed, "write", w.l.dir, w.key)
	}
	n, err := w.f.Write(p)
	return n, wrap(err, "write", w.l.dir, w.key)
}

// Commit synchronises the file, gives it its name and synchronises the folder.
func (w *localWriter) Commit() (Object, error) {
	o, err := w.commit()
	if err != nil {
		return Object{}, wrap(err, "write", w.l.dir, w.key)
	}
	return o, nil
}

func (w *localWriter) commit() (o Object, err error) {
	if err := w.ctx.Err(); err != nil {
		return o, err
	}
	if w.f == nil {
		return o, fs.ErrClosed
	}
	f := w.f
	w.f = nil
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return o, err
	}
	err = w.l.withRoot(w.ctx, func(root *os.Root) error {
		// The way to the folder is gone once, not for each of the steps.
		folder, err := root.OpenRoot(native(Dir(w.key)))
		if err != nil {
			return err
		}
		defer folder.Close()
		if o, err = w.l.replace(folder, path.Base(w.temp), path.Base(w.key), w.cond, true); err != nil {
			return err
		}
		w.done, o.Key = true, w.key
		return syncDir(folder, "")
	})
	return o, err
}

// Abort removes the unfinished file. What it cannot remove, RemoveLeftovers will.
func (w *localWriter) Abort() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
	}
	if w.done {
		return
	}
	w.done = true
	if root, err := os.OpenRoot(w.l.dir); err == nil {
		root.Remove(native(w.temp))
		root.Close()
	}
}

// replace gives the file at from the name to, if cond holds for that. fresh
// says that from is a temporary name that nobody else knows.
func (l *Local) replace(root *os.Root, from, to string, cond Cond, fresh bool) (o Object, err error) {
	l.change.Lock()
	defer l.change.Unlock()
	if fresh && cond.IsAbsent() {
		// A link, unlike a rename, fails when the name is taken.
		switch err := root.Link(native(from), native(to)); {
		case err == nil:
			if err := root.Remove(native(from)); err != nil {
				return o, err
			}
			return stat(root, to)
		case errors.Is(err, fs.ErrExist):
			return o, ErrConflict
		}
	}
	if err := judge(root, to, cond); err != nil {
		return o, err
	}
	err = l.inFolder(root, Dir(to), func() error { return root.Rename(native(from), native(to)) })
	if err != nil {
		return o, err
	}
	return stat(root, to)
}

// judge reports with ErrConflict that cond does not hold for key.
func judge(root *os.Root, key string, cond Cond) error {
	if cond == (Cond{}) {
		return nil
	}
	o, err := stat(root, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !cond.IsAbsent() {
			return fmt.Errorf("%w: it is gone", ErrConflict)
		}
		return nil
	case err != nil:
		return err
	case cond.IsAbsent():
		return fmt.Errorf("%w: it exists", ErrConflict)
	case o.Pin != cond.Pin():
		return fmt.Errorf("%w: it has changed", ErrConflict)
	}
	return nil
}

// Move renames a file and synchronises both folders.
func (l *Local) Move(ctx context.Context, from, to string, cond Cond) (Object, error) {
	if err := errors.Join(CheckWritable(from), CheckWritable(to)); err != nil {
		return Object{}, wrap(err, "move to", l.dir, to)
	}
	var o Object
	err := l.withRoot(ctx, func(root *os.Root) (err error) {
		info, err := root.Lstat(native(from))
		if err != nil {
			return err
		}
		if err := regular(info); err != nil {
			return err
		}
		if o, err = l.replace(root, from, to, cond, false); errors.Is(err, syscall.EXDEV) {
			return ErrDevice
		} else if err != nil {
			return explain(root, to, err)
		}
		return errors.Join(syncDir(root, Dir(to)), syncDir(root, Dir(from)))
	})
	return o, wrap(err, "move "+from+" to", l.dir, to)
}

// Delete removes a file, or a link itself, and synchronises its folder.
func (l *Local) Delete(ctx context.Context, key string, cond Cond) error {
	if err := CheckWritable(key); err != nil {
		return wrap(err, "delete", l.dir, key)
	}
	err := l.withRoot(ctx, func(root *os.Root) error {
		if err := l.remove(root, key, cond); err != nil {
			return explain(root, key, err)
		}
		return syncDir(root, Dir(key))
	})
	return wrap(err, "delete", l.dir, key)
}

func (l *Local) remove(root *os.Root, key string, cond Cond) error {
	l.change.Lock()
	defer l.change.Unlock()
	info, err := root.Lstat(native(key))
	if err != nil {
		return err
	}
	if info.IsDir() {
		return regular(info)
	}
	if err := judge(root, key, cond); err != nil {
		return err
	}
	return root.Remove(native(key))
}
