package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reconcile/state"
	"reconcile/state/internal/boltfile"
	"reconcile/state/internal/files"
	"reconcile/state/internal/statefile"
)

// file is the file of a state. It is open only while it is used, and may be used by
// several goroutines.
type file struct {
	at      paths
	format  statefile.Format
	readers readers
	wait    time.Duration // for the file while others read it or commit
}

// open opens the state file with the lock how on it. The caller releases it. A file that
// does not exist gives nil and no error.
func (s *file) open(ctx context.Context, flags, how int) (*os.File, error) {
	if ok, err := s.at.exists(); err != nil || !ok {
		return nil, err
	}
	f, err := os.OpenFile(s.at.file(), flags, 0)
	if err != nil {
		return nil, fmt.Errorf("open state file: %w", err)
	}
	if err := files.Lock(ctx, f, how, s.wait); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// view calls fn with the content of the state file under a shared lock; false
// says that there is no file. fn copies what it wants to keep.
func (s *file) view(ctx context.Context, fn func(*boltfile.View) error) (bool, error) {
	f, err := s.open(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil || f == nil {
		return false, err
	}
	err = s.format.View(f, fn)
	if e := files.Release(f); err == nil {
		err = e
	}
	return true, err
}

// meta returns the meta record, checked on its own only; false says that there is no file.
func (s *file) meta(ctx context.Context) (meta statefile.Meta, exists bool, err error) {
	exists, err = s.view(ctx, func(v *boltfile.View) (err error) {
		meta, err = s.format.ReadMeta(v)
		return err
	})
	if err != nil {
		meta = statefile.Meta{}
	}
	return meta, exists, err
}

// load decodes the whole content, verified.
func (s *file) load(ctx context.Context) (*state.Snapshot, error) {
	var c statefile.Content
	exists, err := s.view(ctx, func(v *boltfile.View) error { return s.format.Read(v, &c) })
	if err != nil {
		return nil, err
	}
	if !exists {
		c = statefile.Content{}
	}
	return s.format.Decode(&c)
}

// copy copies the content.
func (s *file) copy(ctx context.Context) (_ *state.Copy, err error) {
	f, err := s.open(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	if f != nil {
		defer func() { err = errors.Join(err, files.Release(f)) }()
		if _, err := s.format.VerifyFile(f); err != nil {
			return nil, err
		}
	}
	return s.format.Copy(f)
}

// standing is what there is of a state file.
type standing struct {
	meta   statefile.Meta // as far as it can be read
	exists bool
	damage error
}

// whole reports whether there is a state that can be read.
func (st standing) whole() bool { return st.exists && st.damage == nil }

// standing proves the state file. That it is damaged is no error.
func (s *file) standing(ctx context.Context) (st standing, err error) {
	st.exists, err = s.view(ctx, func(v *boltfile.View) error {
		meta, err := s.format.ReadMeta(v)
		if err != nil {
			return err
		}
		st.meta = meta
		_, err = s.format.Verify(v, nil)
		return err
	})
	if errors.Is(err, state.ErrDamaged) {
		st.damage, err = err, nil
	}
	return st, err
}
