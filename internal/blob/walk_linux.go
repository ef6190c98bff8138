package blob

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A lake has a folder for each partition, and every plan lists it. Package os
// takes a dozen system calls for a folder, and a look at everything in it, where
// four and a look at each file are enough.

// walk returns the objects below a folder, in no order.
func walk(ctx context.Context, root *os.Root, folder string) ([]Object, error) {
	w := newWalker(ctx, root)
	err := w.in(folder, func(fd int) error { return w.walk(fd, folder) })
	return w.list, err
}

// walkDated is walk, with the times of last changes where they are reliable. Of a
// link that is the link's own, not that of what it leads to: links have none.
func walkDated(ctx context.Context, root *os.Root, folder string) ([]Object, map[string]int64, error) {
	w := newWalker(ctx, root)
	err := w.in(folder, func(fd int) error {
		if ok, err := keepsTimes(fd); err != nil || !ok {
			return errors.Join(err, w.walk(fd, folder))
		}
		w.changed = map[string]int64{}
		return w.walk(fd, folder)
	})
	return w.list, w.changed, err
}

// walker lists folders by their descriptors. A link is never followed to a
// folder, so that it stays below the one that it began with.
type walker struct {
	ctx  context.Context
	root *os.Root
	buf  []byte // of the entries of one folder, as the kernel gives them
	list []Object

	changed      map[string]int64 // when anything about a file changed last, in ns; nil if nobody asks
	stats, reads int              // at names, and of folders: what listing costs

	brief bool   // looks are answered by a disk of this machine
	name  []byte // of a brief look

	pass map[string]bool         // folders inside of others that are not gone into
	seen map[string]*unix.Stat_t // the folders, as they were before they were listed; nil if nobody asks
}

func newWalker(ctx context.Context, root *os.Root) *walker {
	return &walker{ctx: ctx, root: root}
}

// in opens a folder for f.
func (w *walker) in(folder string, f func(fd int) error) error {
	d, err := w.root.Open(native(folder))
	if err != nil {
		return err
	}
	defer d.Close()
	return f(int(d.Fd()))
}

// walk adds what is below the folder that fd has open.
func (w *walker) walk(fd int, folder string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.seen != nil {
		st := &unix.Stat_t{}
		if err := unix.Fstat(fd, st); err != nil {
			return err
		}
		w.seen[folder] = st
	}
	if w.buf == nil {
		w.buf = make([]byte, 32<<10)
	}
	var folders []string
	w.reads++
	for {
		n, err := uninterrupted(func() (int, error) { return unix.Getdents(fd, w.buf) })
		if err != nil {
			return err
		}
		if n <= 0 {
			break
		}
		if folders, err = w.entries(fd, folder, w.buf[:n], folders); err != nil {
			return err
		}
	}
	for _, name := range folders {
		key := Join(folder, name)
		if w.pass[key] {
			continue
		}
		if err := w.enter(fd, name, key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// enter walks a folder inside of that which fd has open.
func (w *walker) enter(fd int, name, key string) error {
	const how = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	sub, err := uninterrupted(func() (int, error) { return unix.Openat(fd, name, how, 0) })
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	return w.walk(sub, key)
}

// entries adds the files among the directory entries in buf, and returns folders
// with the names of the folders among them.
func (w *walker) entries(fd int, folder string, buf []byte, folders []string) ([]string, error) {
	for len(buf) > 0 {
		name, typ, rest := cutEntry(buf)
		if rest == nil {
			return nil, unix.EIO
		}
		buf = rest
		if string(name) == "." || string(name) == ".." {
			continue
		}
		if typ == unix.DT_DIR {
			folders = append(folders, string(name))
			continue
		}
		is, err := w.file(fd, string(name), Join(folder, string(name)))
		if err != nil {
			return nil, err
		}
		if is == unix.S_IFDIR { // on file systems that do not give the type
			folders = append(folders, string(name))
		}
	}
	return folders, nil
}

// file adds a file of the folder that fd has open, if it is one, and returns its
// type. What is not there has none.
func (w *walker) file(fd int, name, key string) (uint32, error) {
	var st unix.Stat_t
	err := w.statAt(fd, name, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	is := st.Mode & unix.S_IFMT
	o := localObject(key, st.Size, time.Unix(st.Mtim.Unix()), st.Ino)
	if w.changed != nil && is == unix.S_IFREG {
		w.changed[key] = st.Ctim.Nano()
	}
	switch {
	case is == unix.S_IFDIR, isTemp(name):
	case is == unix.S_IFLNK:
		w.list = append(w.list, behindLink(w.root, o))
	default:
		w.list = append(w.list, o)
	}
	return is, nil
}

// cutEntry takes the first of some directory entries apart: inode and offset, 8
// bytes each, length, type and name. rest is nil if it is none.
func cutEntry(buf []byte) (name []byte, typ byte, rest []byte) {
	const length, kind, text = 16, 18, 19
	if len(buf) < text {
		return nil, 0, nil
	}
	n := int(binary.NativeEndian.Uint16(buf[length:]))
	if n < text || n > len(buf) {
		return nil, 0, nil
	}
	name, _, _ = bytes.Cut(buf[text:n], []byte{0})
	return name, buf[kind], buf[n:]
}

// statAt looks at a name in the folder that fd has open, without following a link of
// that name.
func (w *walker) statAt(fd int, name string, st *unix.Stat_t) error {
	w.stats++
	if w.brief {
		w.name = append(append(w.name[:0], name...), 0)
	}
	_, err := uninterrupted(func() (int, error) {
		if w.brief {
			return 0, statBriefly(fd, w.name, st)
		}
		return 0, unix.Fstatat(fd, name, st, unix.AT_SYMLINK_NOFOLLOW)
	})
	return err
}

// uninterrupted repeats a system call that a signal interrupts.
func uninterrupted(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
