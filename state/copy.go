package state

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Copy is the content of a state as of one moment: a file in the form of a local
// state, without what was deleted from it, and a Snapshot of it, whose objects stay
// until Close as those of Load do.
type Copy struct {
	*Snapshot
	file *replica
	size int64
}

// Close gives the file up and lets the collector go on.
func (c *Copy) Close() error {
	return errors.Join(c.file.close(), c.Snapshot.Close())
}

// newCopy returns a Copy of the content of a replica, which stays the caller's.
func newCopy(r *replica, dir string) (*Copy, error) {
	c := &Copy{Snapshot: &Snapshot{}, file: r.newReplica()}
	if r.f == nil {
		return c, nil
	}
	f, size, err := r.compacted(dir)
	if err != nil {
		return nil, err
	}
	if err := c.file.open(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c.size = size
	if c.Snapshot, err = c.file.load(); err != nil {
		return nil, errors.Join(err, c.file.close())
	}
	return c, nil
}

// Copy copies the state file. It waits for no apply.
func (s *local) Copy(ctx context.Context) (*Copy, error) {
	readers, err := s.holdReaders(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.copyFile(ctx)
	if err != nil {
		if readers != nil {
			err = errors.Join(err, release(readers))
		}
		return nil, err
	}
	c.readers = readers
	return c, nil
}

func (s *local) copyFile(ctx context.Context) (_ *Copy, err error) {
	f, err := s.openFile(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	r := s.newReplica()
	if f != nil {
		defer func() { err = errors.Join(err, release(f)) }()
		if _, err := s.verifyFile(f); err != nil {
			return nil, err
		}
		r.f = f
	}
	return newCopy(r, "")
}

// Copy copies a replica of the newest record.
func (s *remote) Copy(ctx context.Context) (*Copy, error) {
	h, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	c, err := newCopy(h.replica, s.dir)
	return c, errors.Join(err, h.close())
}
