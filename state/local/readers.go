package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/state/internal/files"
)

// readers is the lock that readers share, and that a collection needs alone.
type readers struct {
	path string
	wait time.Duration // for a collection under way
}

// heldLock is a file with a lock on it, which Close drops.
type heldLock struct{ *os.File }

func (l heldLock) Close() error { return files.Release(l.File) }

// hold takes the lock that keeps the collector away. The file is made by the first
// writer: a reader makes nothing, and gets nil where there is none.
func (r readers) hold(ctx context.Context) (io.Closer, error) {
	f, err := files.OpenOwn(r.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if err := files.Lock(ctx, f, unix.LOCK_SH, r.wait); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return heldLock{f}, nil
}

// exclude takes the lock that readers share; nil and no error say that somebody reads.
func (r readers) exclude() (io.Closer, error) {
	f, err := files.OpenOwn(r.path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("exclude readers: %w", err)
	}
	err = files.Lock(context.Background(), f, unix.LOCK_EX, 0)
	if err == nil {
		return heldLock{f}, nil
	}
	if errors.Is(err, files.ErrBusy) {
		err = nil
	}
	return nil, errors.Join(err, f.Close())
}
