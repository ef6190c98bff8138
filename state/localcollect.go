package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/boltfile"
)

// excludeReaders takes the lock that readers share; nil and no error say that
// somebody reads.
func (s *local) excludeReaders() (*os.File, error) {
	f, err := os.OpenFile(s.readersPath(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("exclude readers: %w", err)
	}
	err = flock(context.Background(), f, unix.LOCK_EX, 0)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, errBusy) {
		err = nil
	}
	return nil, errors.Join(err, f.Close())
}

// guardInline reports whether tx may collect small objects, which it may not while
// somebody reads, and returns what has to be called after the commit.
func (s *local) guardInline(tx *Tx) (collects bool, done func(), err error) {
	if len(tx.collect) == 0 && !tx.replaces {
		return false, func() {}, nil
	}
	f, err := s.excludeReaders()
	if err != nil || f == nil {
		return false, func() {}, err
	}
	return true, func() { _ = release(f) }, nil
}

// Collect removes bulky objects. While anybody has a Snapshot of Load, nothing is
// removed: the next apply collects. A folder whose marker does not name the state is an
// error, and nothing is removed.
func (l *localLock) Collect(ctx context.Context, keep func(id string) bool) (removed int, err error) {
	if err := l.check(); err != nil {
		return 0, err
	}
	if err := failpoint.Hit(ctx, failpoint.CollectBefore); err != nil {
		return 0, err
	}
	if mine, err := l.store.ownsFolder(ctx); err != nil {
		return 0, fmt.Errorf("collect objects: %w", err)
	} else if !mine {
		return 0, failpoint.Hit(ctx, failpoint.CollectAfter)
	}
	readers, err := l.store.excludeReaders()
	if err != nil || readers == nil {
		return 0, err
	}
	removed, err = l.store.removeObjects(ctx, keep)
	if err = errors.Join(err, release(readers)); err != nil {
		return removed, fmt.Errorf("collect objects: %w", err)
	}
	return removed, failpoint.Hit(ctx, failpoint.CollectAfter)
}

// removeObjects goes through the objects folder. What does not look like ours
// is left alone. A removal that a crash undoes is done again the next time, so
// nothing is synced.
func (s *local) removeObjects(ctx context.Context, keep func(string) bool) (removed int, err error) {
	err = filepath.WalkDir(s.ObjectsDir(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		name := d.Name()
		temp := strings.HasPrefix(name, tempPrefix) && filepath.Dir(path) == s.ObjectsDir()
		object := validDigest(name) && path == s.objectPath(name)
		if !temp && (!object || keep(name)) {
			return nil
		}
		removed++
		return os.Remove(path)
	})
	return removed, err
}

// compactTx is how many bytes of the copy are in memory at a time.
const compactTx = 64 << 20

// Compact rewrites the state file without its free pages, which still hold what
// was deleted. The content, the serial too, stays the same. On a damaged file
// it fails without touching it; without a file it does nothing.
func (l *localLock) Compact(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	ok, err := l.store.copyCompacted(ctx)
	if err == nil && ok {
		err = failpoint.Hit(ctx, failpoint.StateCommitBefore)
		if err == nil {
			err = rename(l.store.newPath(), l.store.path)
		}
	}
	if err != nil {
		return fmt.Errorf("compact state: %w", errors.Join(err, removeIfThere(l.store.newPath())))
	}
	if !ok {
		return nil
	}
	l.warnOfBackups()
	return failpoint.Hit(ctx, failpoint.StateCommitAfter)
}

// copyCompacted writes the new file, durable and proved, under its temporary
// name; false says that there is no state.
func (s *local) copyCompacted(ctx context.Context) (bool, error) {
	src, err := s.openFile(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil || src == nil {
		return false, err
	}
	defer release(src)
	before, err := s.verifyFile(src)
	if err != nil {
		return false, err
	}
	dst, err := s.newFile()
	if err != nil {
		return false, err
	}
	defer release(dst)
	if err := s.damaged(boltfile.Guard(func() error { return s.compact(dst, src) })); err != nil {
		return false, err
	}
	copied, err := os.Open(s.newPath())
	if err != nil {
		return false, err
	}
	defer copied.Close()
	after, err := s.verifyFile(copied)
	if err == nil && after.Serial != before.Serial {
		err = errors.New("the copy differs from the original")
	}
	return true, err
}

func (s format) verifyFile(f *os.File) (meta metaRecord, err error) {
	err = boltfile.Read(f, func(v *boltfile.View) error {
		meta, err = s.verify(v, nil)
		return err
	})
	return meta, s.damaged(err)
}

func (s format) compact(dst, src *os.File) error {
	from, err := s.openBolt(src, true)
	if err != nil {
		return err
	}
	to, err := s.openBolt(dst, false)
	if err != nil {
		return errors.Join(err, from.Close())
	}
	err = bolt.Compact(to, from, compactTx)
	return errors.Join(err, to.Close(), from.Close())
}
