package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// inMade is in for a write: it makes the folder of the store if need be.
func (l *Local) inMade(ctx context.Context, f func(*os.Root) error) error {
	if _, err := os.Stat(l.dir); errors.Is(err, fs.ErrNotExist) {
		l.folders.Lock()
		err := makeDurable(l.dir)
		l.folders.Unlock()
		if err != nil {
			return err
		}
	}
	return l.withRoot(ctx, f)
}

// makeDurable makes a folder and those above it, from the outside in, each
// name synchronised before the next is made.
func makeDurable(dir string) error {
	_, err := os.Stat(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeDurable(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(above)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(d), d.Close())
}

// folderTries is how often a folder is made that others, who know nothing of this store,
// keep removing while it is empty.
const folderTries = 100

// inFolder runs act, which makes a name in folder. The folder is made and synchronised
// when it turns out to be missing, and again when somebody removed it before the name
// was in it.
func (l *Local) inFolder(root *os.Root, folder string, act func() error) error {
	l.folders.RLock()
	err := act()
	l.folders.RUnlock()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.folders.Lock()
	defer l.folders.Unlock()
	for try := range folderTries {
		if err = makeFolder(root, folder); err == nil {
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

// makeFolder makes a folder and those above it, each name synchronised before the next is
// made.
func makeFolder(root *os.Root, folder string) error {
	for i, c := range folder + "/" {
		if c != '/' || i == 0 {
			continue
		}
		switch err := root.Mkdir(native(folder[:i]), 0o777); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return err
		default:
			if err := syncDir(root, Dir(folder[:i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncDir makes the names in a folder durable. A folder that is gone has none:
// whoever removed it made that durable.
func syncDir(root *os.Root, folder string) error {
	d, err := root.Open(native(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(d), d.Close())
}

// RemoveEmptyFolders removes empty folders from folder up to below stop.
func (l *Local) RemoveEmptyFolders(ctx context.Context, folder, stop string) error {
	err := errors.Join(CheckPrefix(folder), CheckPrefix(stop))
	if err == nil && !Under(folder, stop) {
		err = &KeyError{folder, fmt.Sprintf("it is not below %q", stop)}
	}
	if err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error { return explain(root, folder, l.removeEmptyFolders(root, folder, stop)) })
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return wrap(err, "remove the empty folder", l.dir, folder)
}

func (l *Local) removeEmptyFolders(root *os.Root, folder, stop string) error {
	l.folders.Lock()
	defer l.folders.Unlock()
	removed := false
	for ; folder != stop && folder != ""; folder = Dir(folder) {
		ok, err := removeFolder(root, folder)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return syncDir(root, folder)
}

// removeFolder removes a folder if it is empty, and reports whether it is gone.
func removeFolder(root *os.Root, folder string) (bool, error) {
	info, err := root.Lstat(native(folder))
	if err == nil {
		if !info.IsDir() {
			return false, nil
		}
		err = root.Remove(native(folder))
	}
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, fs.ErrExist):
		return false, nil
	}
	return false, err
}

// RemoveLeftovers removes temporary files and empty folders below a prefix, and the folder
// of that name if it is then empty. A move here is one request.
func (l *Local) RemoveLeftovers(ctx context.Context, o Leftovers) error {
	err := CheckPrefix(o.Prefix)
	if err == nil {
		err = l.withRoot(ctx, func(root *os.Root) error { return l.removeLeftovers(ctx, root, o.Prefix, o) })
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return wrap(err, "tidy up", l.dir, o.Prefix)
}

func (l *Local) removeLeftovers(ctx context.Context, root *os.Root, folder string, o Leftovers) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.Protects(folder) {
		return nil
	}
	infos, err := readDir(root, folder)
	if err != nil {
		return err
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	for _, info := range infos {
		key := Join(folder, info.Name())
		switch {
		case info.IsDir():
			err = l.removeLeftovers(ctx, root, key, o)
		case isTemp(info.Name()):
			err = root.Remove(native(key))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if folder == "" {
		return nil
	}
	return l.removeEmptyFolders(root, folder, Dir(folder))
}
