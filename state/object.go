package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/boltfile"
)

// tempPrefix begins the names of objects that are being written.
const tempPrefix = "tmp-"

// objectPath returns the file of a bulky object.
func (s *Store) objectPath(digest string) string {
	return filepath.Join(s.ObjectsDir(), digest[:2], digest)
}

func validDigest(digest string) bool {
	if len(digest) != 2*sha256.Size {
		return false
	}
	for _, c := range digest {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ObjectWriter takes the bytes of a new object: in memory while they are few,
// then in a temporary file. It is for one goroutine, and ends with Close or
// Abort. Errors of Write are those of the disk.
type ObjectWriter struct {
	store *Store
	sum   hash.Hash
	size  int64
	buf   []byte
	file  *os.File
}

// Sealed is an object whose content is complete: durable in a file, or, when
// small, in memory until Tx.PutObject stores it.
type Sealed struct {
	Ref     Ref    // Rows is the caller's to set
	payload []byte // nil when the object is in a file
}

// NewObject begins an object. Only the holder of the lock makes objects: a
// collection removes what is not finished.
func (s *Store) NewObject() *ObjectWriter {
	return &ObjectWriter{store: s, sum: sha256.New(), buf: []byte{}}
}

// Write adds p to the object.
func (w *ObjectWriter) Write(p []byte) (int, error) {
	if w.file == nil && len(w.buf)+len(p) > w.store.opts.InlineLimit {
		if err := w.spill(); err != nil {
			return 0, fmt.Errorf("write object: %w", err)
		}
	}
	if w.file == nil {
		w.buf = append(w.buf, p...)
	} else if n, err := w.file.Write(p); err != nil {
		return n, fmt.Errorf("write object: %w", err)
	}
	w.sum.Write(p)
	w.size += int64(len(p))
	return len(p), nil
}

// spill moves what was buffered to a file.
func (w *ObjectWriter) spill() error {
	dir := w.store.ObjectsDir()
	if err := makeDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return err
	}
	w.file = f
	_, err = f.Write(w.buf)
	w.buf = nil
	return err
}

// Close ends the object. A bulky one is durable under its digest when Close
// returns. After an error the writer is gone, as after Abort.
func (w *ObjectWriter) Close(ctx context.Context) (*Sealed, error) {
	o := &Sealed{Ref: Ref{Digest: hex.EncodeToString(w.sum.Sum(nil)), Size: w.size}}
	if w.file == nil && w.store.opts.InlineLimit >= 0 {
		o.payload = w.buf
		return o, nil
	}
	if err := w.closeFile(ctx, o.Ref.Digest); err != nil {
		return nil, fmt.Errorf("finish object: %w", errors.Join(err, w.Abort()))
	}
	w.file = nil
	return o, nil
}

func (w *ObjectWriter) closeFile(ctx context.Context, digest string) error {
	if w.file == nil { // empty, and nothing may be inline
		if err := w.spill(); err != nil {
			return err
		}
	}
	if err := failpoint.Hit(ctx, failpoint.ObjectWrite); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	to := w.store.objectPath(digest)
	if err := makeDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, failpoint.ObjectRename); err != nil {
		return err
	}
	if err := rename(w.file.Name(), to); err != nil {
		return err
	}
	// Another writer may have made the folder and not have synced it yet.
	return syncDir(w.store.ObjectsDir())
}

// Abort gives the object up. After Close it does nothing.
func (w *ObjectWriter) Abort() error {
	w.buf = nil
	if w.file == nil {
		return nil
	}
	if err := w.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	err := removeIfThere(w.file.Name())
	w.file = nil
	return err
}

// Object is the content of an object, open for reading at any place by several
// goroutines.
type Object struct {
	ref   Ref
	store *Store
	src   io.ReaderAt
	file  *os.File // nil of a small one
}

// OpenObject opens the object that ref names. The size is checked, and of a
// small object the content too; that of a bulky one by Verify. One that is
// nowhere gives an error that matches ErrMissingObject.
func (s *Store) OpenObject(ctx context.Context, ref Ref) (*Object, error) {
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
func (s *Store) missing(ctx context.Context, ref Ref) error {
	_, err := s.view(ctx, func(v *boltfile.View) error {
		_, err := s.verify(v, nil)
		return err
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s (%d bytes) is neither in %s nor in %s; was the state file copied without its objects folder?",
		ErrMissingObject, ref.Digest, ref.Size, s.path, s.ObjectsDir())
}

func (s *Store) openBulky(_ context.Context, ref Ref) (*Object, error) {
	f, err := os.Open(s.objectPath(ref.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != ref.Size {
		err = &DamagedError{Path: f.Name(), State: s.path, Reason: fmt.Sprintf("it has %d bytes instead of %d", info.Size(), ref.Size)}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Object{ref: ref, store: s, src: f, file: f}, nil
}

func (s *Store) openInline(ctx context.Context, ref Ref) (*Object, error) {
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
			return s.damagedRecord(bInline, key, err)
		}
		payload = append([]byte{}, p...)
		return nil
	})
	if err != nil || payload == nil {
		return nil, err
	}
	o := &Object{ref: ref, store: s, src: bytes.NewReader(payload)}
	if int64(len(payload)) != ref.Size {
		return nil, o.damaged(fmt.Sprintf("it has %d bytes instead of %d", len(payload), ref.Size))
	}
	return o, o.Verify(ctx)
}

// Ref returns the name of the object.
func (o *Object) Ref() Ref { return o.ref }

// Size returns the number of bytes.
func (o *Object) Size() int64 { return o.ref.Size }

// ReadAt is that of io.ReaderAt.
func (o *Object) ReadAt(p []byte, off int64) (int, error) { return o.src.ReadAt(p, off) }

// Close ends the use of the object.
func (o *Object) Close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

func (o *Object) damaged(reason string) error {
	return &DamagedError{Path: o.ref.Digest, State: o.store.path, Reason: reason}
}

// Verify reads the whole object and compares its digest; the error matches
// ErrDamaged when it differs.
func (o *Object) Verify(ctx context.Context) error {
	buf := make([]byte, min(o.ref.Size, verifyAtOnce))
	return o.verify(ctx, func(int64) []byte { return buf })
}

// ReadAll returns the content of an object that Verify finds to be good.
func (o *Object) ReadAll(ctx context.Context) ([]byte, error) {
	all := make([]byte, o.ref.Size)
	err := o.verify(ctx, func(at int64) []byte { return all[at:min(at+verifyAtOnce, o.ref.Size)] })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// verifyAtOnce is the size of the pieces of an object that are read and added to
// its digest.
const verifyAtOnce = 256 << 10

// verify reads the object into what room gives for each place.
func (o *Object) verify(ctx context.Context, room func(at int64) []byte) error {
	sum := sha256.New()
	for at := int64(0); at < o.ref.Size; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("verify object %s: %w", o.ref.Digest, err)
		}
		buf := room(at)
		n, err := o.src.ReadAt(buf[:min(int64(len(buf)), o.ref.Size-at)], at)
		if n == 0 && err == io.EOF {
			return o.damaged(fmt.Sprintf("it ends after %d bytes instead of %d", at, o.ref.Size))
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("verify object %s: %w", o.ref.Digest, err)
		}
		sum.Write(buf[:n])
		at += int64(n)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.ref.Digest {
		return o.damaged("its content has the digest " + got)
	}
	return nil
}
