package blob

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

// A folder's times change whenever a name in it comes, goes or is given to another
// file, and nobody can set the time of its last change. So while these and the
// inode are the same, its names are. That is no substitute for a look at each
// file, but it is for reading the folder, which costs four times as much.

// A fingerprint is the digest of the folders that are known by their times, then the
// others, with fingerprintSep, which no name has, between them.
const fingerprintSep = "\x00"

// fingerprintFolders makes a fingerprint of what is below a prefix. A folder that has not settled
// may change again without its times showing it.
func fingerprintFolders(ctx context.Context, root *os.Root, prefix string, keys []string, settle time.Duration) (string, error) {
	c, err := newClock(settle)
	if err != nil {
		return "", err
	}
	w := newWalker(ctx, root)
	w.seen = map[string]*unix.Stat_t{}
	reliable := false
	err = w.in(prefix, func(fd int) (err error) {
		if reliable, err = keepsTimes(fd); err != nil || !reliable {
			return err
		}
		return w.walk(fd, prefix)
	})
	if errors.Is(err, fs.ErrNotExist) || err == nil && !reliable {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return w.fingerprint(prefix, keys, c), nil
}

// clock is a time at which folders were looked at, and how long before it they must
// have changed; 0 for what their times ask for.
type clock struct {
	now    time.Time
	settle time.Duration
}

// newClock asks the clock that dates folders, whose ticks can be late.
func newClock(settle time.Duration) (clock, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts)
	return clock{time.Unix(ts.Unix()), settle}, err
}

// settled reports whether a change that is still to come will show in a folder's
// times. Those with a fraction of a second are of a file system that keeps it.
func (c clock) settled(st *unix.Stat_t) bool {
	settle := c.settle
	if settle == 0 {
		settle = DefaultSettle
		if st.Ctim.Nsec != 0 {
			settle = fineSettle
		}
	}
	before := c.now.Add(-settle)
	return time.Unix(st.Ctim.Unix()).Before(before) && time.Unix(st.Mtim.Unix()).Before(before)
}

// fingerprint makes a fingerprint of what was listed.
func (w *walker) fingerprint(prefix string, keys []string, c clock) string {
	folders := foldersOf(prefix, keys)
	listed := w.strangers(folders, keys)
	sum := newFolderSum()
	settled := 0
	for _, f := range folders {
		st := w.seen[f]
		if st == nil {
			return "" // the keys are not what is there
		}
		if st.Dev != w.seen[prefix].Dev || !c.settled(st) {
			listed[f] = true
		}
		if !listed[f] {
			sum.add(f, st)
			settled++
		}
	}
	if settled == 0 {
		return ""
	}
	parts := []string{sum.text()}
	for _, f := range folders {
		if listed[f] {
			parts = append(parts, f)
		}
	}
	return strings.Join(parts, fingerprintSep)
}

// strangers returns the folders with anything in them but keys and other folders
// of keys.
func (w *walker) strangers(folders, keys []string) map[string]bool {
	known, out := setOf(slices.Concat(folders, keys)), map[string]bool{}
	for _, o := range w.list {
		if !known[o.Key] {
			out[Dir(o.Key)] = true
		}
	}
	for f := range w.seen {
		if !known[f] {
			out[Dir(f)] = true
		}
	}
	return out
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// listSince lists by a fingerprint, or everything if that does not hold.
func listSince(ctx context.Context, root *os.Root, prefix, fingerprint string, files []Pinned) (list []Object, whole bool, err error) {
	w := newWalker(ctx, root)
	parts := strings.Split(fingerprint, fingerprintSep)
	ok := false
	err = w.in(prefix, func(fd int) (err error) {
		ok, err = w.since(fd, prefix, parts[0], parts[1:], files)
		return err
	})
	if err != nil || ok {
		return w.list, len(parts) == 1, err
	}
	list, err = walk(ctx, root, prefix)
	return list, false, err
}

// since adds the files, and what is in the folders that are not known by their times; nothing
// if there are no such folders and the files have their pins. It returns false,
// having added nothing of use, if the fingerprint does not hold.
func (w *walker) since(fd int, prefix, digest string, unsettled []string, files []Pinned) (_ bool, err error) {
	if w.brief, err = keepsTimes(fd); err != nil {
		return false, err
	}
	c := &checker{w: w, fd: fd, prefix: prefix, listed: setOf(unsettled)}
	if len(unsettled) == 0 {
		ok, err := c.check(digest, files, c.same)
		if ok || err != nil || !c.differs {
			return ok, err
		}
	}
	w.list = make([]Object, 0, len(files))
	if ok, err := c.check(digest, files, c.add); err != nil || !ok {
		return false, err
	}
	if len(unsettled) > 0 {
		w.pass = setOf(foldersOf(prefix, keysOf(files)))
	}
	for _, f := range unsettled {
		if err := w.enter(fd, inside(prefix, f), f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return true, nil
}

func keysOf(files []Pinned) []string {
	keys := make([]string, len(files))
	for i, f := range files {
		keys[i] = f.Key
	}
	return keys
}

// checker looks at the folders and the files that a fingerprint was made with, each folder
// right before its files, which are then found faster.
type checker struct {
	w       *walker
	fd      int // of the folder prefix
	prefix  string
	listed  map[string]bool // folders that are not known by their times
	sum     *folderSum
	differs bool // a file is not as it was known
}

// check reports whether the folders are those of the digest, and the files are what
// file says.
func (c *checker) check(digest string, files []Pinned, file func(f *Pinned) (bool, error)) (bool, error) {
	c.sum = newFolderSum()
	last := c.prefix
	if ok, err := c.folder(last); err != nil || !ok {
		return false, err
	}
	for i := range files {
		k := files[i].Key
		for f := range newFolders(c.prefix, last, k) {
			if ok, err := c.folder(f); err != nil || !ok {
				return false, err
			}
		}
		last = k
		if c.listed[Dir(k)] {
			continue
		}
		if ok, err := file(&files[i]); err != nil || !ok {
			return false, err
		}
	}
	return c.sum.text() == digest, nil
}

// add adds a file, and reports whether it is one, if it is there.
func (c *checker) add(f *Pinned) (bool, error) {
	is, err := c.w.file(c.fd, inside(c.prefix, f.Key), f.Key)
	return is == 0 || is == unix.S_IFREG, err
}

// same reports whether a file is as it was known.
func (c *checker) same(f *Pinned) (bool, error) {
	var st unix.Stat_t
	err := c.w.statAt(c.fd, inside(c.prefix, f.Key), &st)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	var room [64]byte
	pin := appendPin(room[:0], st.Size, time.Unix(st.Mtim.Unix()), st.Ino)
	c.differs = err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || string(pin) != f.Pin
	return !c.differs, nil
}

func (c *checker) folder(f string) (bool, error) {
	var st unix.Stat_t
	err := c.w.statAt(c.fd, inside(c.prefix, f), &st)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !c.listed[f] {
		c.sum.add(f, &st)
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// inside returns the name of a key in the folder prefix.
func inside(prefix, key string) string {
	if key == prefix {
		return "."
	}
	if prefix == "" {
		return key
	}
	return key[len(prefix)+1:]
}

// folderSum is the digest of folders as they are. Who could choose their inodes and
// times would not have to look for two that have the same.
type folderSum struct {
	h   *xxh3.Hasher
	buf []byte
}

func newFolderSum() *folderSum { return &folderSum{h: xxh3.New()} }

func (s *folderSum) add(folder string, st *unix.Stat_t) {
	b := append(append(s.buf[:0], folder...), 0)
	b = binary.LittleEndian.AppendUint64(b, st.Ino)
	b = binary.LittleEndian.AppendUint64(b, uint64(st.Ctim.Nano()))
	b = binary.LittleEndian.AppendUint64(b, uint64(st.Mtim.Nano()))
	_, _ = s.h.Write(b) // never fails
	s.buf = b
}

func (s *folderSum) text() string {
	sum := s.h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}

// keepsTimes reports whether the file system of an open folder is one that is
// known to change a folder's times whenever a name in it changes, on disks of this
// machine. Those that reach across a network, or make up what they have no notion
// of, may not.
func keepsTimes(fd int) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return false, err
	}
	return slices.Contains([]uint32{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC}, uint32(st.Type)), nil
}
