package local

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
)

// replacedMeanwhile says that the file is not the one that a transaction comes behind.
func (s *file) replacedMeanwhile() error {
	return fmt.Errorf("state file %s was replaced meanwhile", s.at)
}

// commit applies a transaction to the state file, which it proves to be sound, and to be
// that which the transaction comes behind, first.
func (s *file) commit(ctx context.Context, c *kv.Changes, meta statefile.Meta) (state.Outcome, error) {
	f, err := s.open(ctx, os.O_RDWR, unix.LOCK_EX)
	if err != nil {
		return state.Refused, err
	}
	if f == nil {
		return state.Refused, fmt.Errorf("state file %s was removed meanwhile", s.at)
	}
	defer f.Close()
	err = s.format.View(f, func(v *boltfile.View) error {
		now, err := s.format.Verify(v, nil)
		if err == nil && (now.Serial != c.Before || now.Lineage != c.Lineage) {
			err = s.replacedMeanwhile()
		}
		meta.Tallies = now.Tallies
		return err
	})
	if err != nil {
		return state.Refused, errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_UN))
	}
	collects, done, err := s.guardInline(c)
	if err != nil {
		return state.Refused, errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_UN))
	}
	defer done()
	committed, err := s.format.Write(f, statefile.Write{Changes: c, Meta: meta, Collects: collects,
		Before: func() error { return failpoint.Hit(ctx, failpoint.StateCommitBefore) }})
	switch {
	case err == nil && committed:
		return state.Done, failpoint.Hit(ctx, failpoint.StateCommitAfter)
	case err == nil || committed:
		return state.Done, err
	}
	return state.Refused, err
}

// guardInline reports whether a transaction may collect small objects, which it may not
// while somebody reads, and returns what has to be called after the commit.
func (s *file) guardInline(c *kv.Changes) (collects bool, done func(), err error) {
	if len(c.Collect) == 0 && !c.Replaces {
		return false, func() {}, nil
	}
	alone, err := s.readers.exclude()
	if err != nil || alone == nil {
		return false, func() {}, err
	}
	return true, func() { _ = alone.Close() }, nil
}

// create makes the state file with its first transaction under another name: the rename
// is the commit, so there never is a file without content. Without an error, born reports
// whether there was anything to write.
func (s *file) create(ctx context.Context, c *kv.Changes, meta statefile.Meta) (out state.Outcome, born bool, err error) {
	f, err := s.newFile()
	if err != nil {
		return state.Refused, false, err
	}
	meta.Tallies = map[string]kv.Tally{}
	written, err := s.format.Write(f, statefile.Write{Changes: c, Meta: meta, Before: func() error { return nil }})
	if err == nil && !written {
		return state.Done, false, files.RemoveIfThere(s.at.newFile())
	}
	if err == nil {
		err = failpoint.Hit(ctx, failpoint.StateCommitBefore)
	}
	if err == nil {
		err = files.Rename(s.at.newFile(), s.at.file())
	}
	if err != nil {
		return state.Refused, false, errors.Join(err, files.RemoveIfThere(s.at.newFile()))
	}
	return state.Done, true, failpoint.Hit(ctx, failpoint.StateCommitAfter)
}

// newFile opens the file that is to become the state, without what a crash may
// have left of one.
func (s *file) newFile() (*os.File, error) {
	if err := files.RemoveIfThere(s.at.newFile()); err != nil {
		return nil, err
	}
	return os.OpenFile(s.at.newFile(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// compacted writes the content without free pages, durable and proved, to the new file;
// false says that there is no state.
func (s *file) compacted(ctx context.Context) (bool, error) {
	src, err := s.open(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil || src == nil {
		return false, err
	}
	defer files.Release(src)
	before, err := s.format.VerifyFile(src)
	if err != nil {
		return false, err
	}
	dst, err := s.newFile()
	if err != nil {
		return false, err
	}
	defer files.Release(dst)
	if err := s.format.Compact(dst, src); err != nil {
		return false, err
	}
	copied, err := os.Open(s.at.newFile())
	if err != nil {
		return false, err
	}
	defer copied.Close()
	after, err := s.format.VerifyFile(copied)
	if err == nil && after.Serial != before.Serial {
		err = errors.New("the copy differs from the original")
	}
	return true, err
}
