package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
)

// Adopt copies the objects that refs names, and that only the folder of earlier
// versions has, to that of the state. One that is damaged there stays where it is:
// who reads it says so. The copies are as good as objects that were written.
func (l *localLock) Adopt(ctx context.Context, refs iter.Seq[Ref]) error {
	s := l.store
	if _, err := os.Lstat(s.sharedDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for ref := range refs {
		_, err := os.Lstat(s.objectPath(ref.Digest))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.adopt(ctx, ref); err != nil {
			return fmt.Errorf("copy object %s to %s: %w", ref.Digest, s.ObjectsDir(), err)
		}
	}
	return nil
}

func (s *local) adopt(ctx context.Context, ref Ref) (err error) {
	from, err := s.openIn(s.sharedDir(), ref)
	if from == nil {
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := from.Verify(ctx); err != nil {
		return ctx.Err()
	}
	w := s.NewObject(ctx)
	if err := w.spill(); err != nil {
		return errors.Join(err, w.Abort())
	}
	if _, err := io.Copy(w, io.NewSectionReader(from, 0, from.Size())); err != nil {
		return errors.Join(err, w.Abort())
	}
	o, err := w.Close(ctx)
	if err == nil && o.Ref.Digest != ref.Digest {
		err = errors.New("it changed meanwhile")
	}
	return err
}
