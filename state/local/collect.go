package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"reconcile/state"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
)

// remove goes through the folder and removes the objects that keep denies. What does not
// look like ours is left alone. A removal that a crash undoes is done again the next
// time, so nothing is synced.
func (s *objects) remove(ctx context.Context, keep func(string) bool) (removed int, err error) {
	dir := s.at.objects()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
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
		temp := strings.HasPrefix(name, files.TempPrefix) && filepath.Dir(path) == dir
		object := kv.ValidDigest(name) && path == s.at.object(name)
		if !temp && (!object || keep(name)) {
			return nil
		}
		removed++
		return os.Remove(path)
	})
	return removed, err
}

// adopt copies the objects that refs names, and that only the folder of earlier
// versions has, to that of the state. One that is damaged there stays where it is:
// who reads it says so. The copies are as good as objects that were written.
func (s *objects) adopt(ctx context.Context, refs iter.Seq[state.Ref]) error {
	if _, err := os.Lstat(s.at.shared()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for ref := range refs {
		_, err := os.Lstat(s.at.object(ref.Digest))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := s.adoptOne(ctx, ref); err != nil {
			return fmt.Errorf("copy object %s to %s: %w", ref.Digest, s.at.objects(), err)
		}
	}
	return nil
}

func (s *objects) adoptOne(ctx context.Context, ref state.Ref) (err error) {
	from, err := s.openIn(s.at.shared(), ref)
	if from == nil {
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := from.Verify(ctx); err != nil {
		return ctx.Err()
	}
	w := s.begin(ctx)
	if err := w.Spill(); err != nil {
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
