package state

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/boltfile"
)

// tempPrefix begins the names of objects that are being written.
const tempPrefix = "tmp-"

// objectPath returns the file of a bulky object.
func (s *local) objectPath(digest string) string { return objectIn(s.ObjectsDir(), digest) }

func objectIn(dir, digest string) string { return filepath.Join(dir, digest[:2], digest) }

// NewObject begins an object. Only the holder of the lock makes objects: a
// collection removes what is not finished.
func (s *local) NewObject(ctx context.Context) *ObjectWriter {
	return newObject(ctx, s, s.opts.InlineLimit)
}

// localObject is a bulky object that is being written to a file.
type localObject struct {
	store *local
	file  *os.File
}

// create makes the file of an object under a temporary name.
func (s *local) create(ctx context.Context) (objectFile, error) {
	if err := s.claim(ctx); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.ObjectsDir(), tempPrefix+"*")
	if err != nil {
		return nil, err
	}
	return &localObject{s, f}, nil
}

// Write adds p to the file.
func (o *localObject) Write(p []byte) (int, error) { return o.file.Write(p) }

func (o *localObject) finish(ctx context.Context, digest string) (string, error) {
	if err := failpoint.Hit(ctx, failpoint.ObjectWrite); err != nil {
		return "", err
	}
	if err := o.file.Sync(); err != nil {
		return "", err
	}
	if err := o.file.Close(); err != nil {
		return "", err
	}
	to := o.store.objectPath(digest)
	if err := makeDir(filepath.Dir(to)); err != nil {
		return "", err
	}
	if err := failpoint.Hit(ctx, failpoint.ObjectRename); err != nil {
		return "", err
	}
	if err := rename(o.file.Name(), to); err != nil {
		return "", err
	}
	// Another writer may have made the folder and not have synced it yet.
	return "", syncDir(o.store.ObjectsDir())
}

func (o *localObject) abort() error {
	if err := o.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return removeIfThere(o.file.Name())
}

// OpenObject opens the object that ref names. The size is checked, and of a
// small object the content too; that of a bulky one by Verify. One that is
// nowhere gives an error that matches ErrMissingObject.
func (s *local) OpenObject(ctx context.Context, ref Ref) (*Object, error) {
	if !validDigest(ref.Digest) {
		return nil, fmt.Errorf("open object: %q is not the digest of one", ref.Digest)
	}
	// An object is where the limit of its time put it: look first where that
	// of today would.
	look := []func(context.Context, Ref) (*Object, error){s.openInline, s.openBulky}
	if ref.Size > int64(s.opts.InlineLimit) {
		look[0], look[1] = look[1], look[0]
	}
	for _, open := range look {
		if o, err := open(ctx, ref); o != nil || err != nil {
			return o, err
		}
	}
	return nil, s.missing(ctx, ref)
}

// missing tells an object that is not there from one that damage hides.
func (s *local) missing(ctx context.Context, ref Ref) error {
	lineage := ""
	_, err := s.view(ctx, func(v *boltfile.View) error {
		meta, err := s.verify(v, nil)
		lineage = meta.Lineage
		return err
	})
	if err != nil {
		return err
	}
	why := fmt.Sprintf("it is neither in the state file nor in %s; was the file copied without that folder?", s.ObjectsDir())
	if from := s.siblings(lineage); len(from) > 0 {
		why += fmt.Sprintf(" Objects of the same state are in %s: copy what is there to %s", strings.Join(from, ", "), s.ObjectsDir())
	}
	return &ObjectError{Ref: ref, State: s.path, Missing: true, Err: errors.New(why)}
}

// openBulky opens an object in a file: in the folder of the state or, of one that
// an earlier version wrote, in the folder that it shared with others.
func (s *local) openBulky(_ context.Context, ref Ref) (*Object, error) {
	o, err := s.openIn(s.ObjectsDir(), ref)
	if o != nil {
		return o, err
	}
	if old, oldErr := s.openIn(s.sharedDir(), ref); old != nil && oldErr == nil {
		return old, nil
	} else if err == nil {
		err = oldErr
	}
	return nil, err
}

// ObjectPin tells whether the file of a bulky object is the one that it was; empty if
// there is none.
func (s *local) ObjectPin(ref Ref) string {
	for _, dir := range []string{s.ObjectsDir(), s.sharedDir()} {
		info, err := os.Stat(objectIn(dir, ref.Digest))
		if err != nil {
			continue
		}
		pin := fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			pin += fmt.Sprintf("-%d", st.Ino)
		}
		return pin
	}
	return ""
}

func (s *local) openIn(dir string, ref Ref) (*Object, error) {
	f, err := os.Open(objectIn(dir, ref.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &ObjectError{Ref: ref, State: s.path, Err: err}
	}
	o := &Object{ref: ref, place: s.path, src: f, end: f}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = o.Damaged(err)
	case info.Size() != ref.Size:
		err = o.Damaged(fmt.Errorf("its file %s has %d bytes instead of %d", f.Name(), info.Size(), ref.Size))
	default:
		return o, nil
	}
	return nil, errors.Join(err, f.Close())
}

func (s *local) openInline(ctx context.Context, ref Ref) (*Object, error) {
	key, err := hex.DecodeString(ref.Digest)
	if err != nil {
		return nil, err
	}
	var payload []byte
	_, err = s.view(ctx, func(v *boltfile.View) error {
		value, err := v.Get(bInline.String(), key)
		if err != nil || value == nil {
			return err
		}
		p, _, err := unseal(bInline, key, value)
		if err != nil {
			return &ObjectError{Ref: ref, State: s.path, Err: err}
		}
		payload = append([]byte{}, p...)
		return nil
	})
	if err != nil || payload == nil {
		return nil, err
	}
	return smallObject(ctx, ref, s.path, payload)
}
