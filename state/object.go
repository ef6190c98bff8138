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
	"strings"
	"syscall"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/boltfile"
)

// tempPrefix begins the names of objects that are being written.
const tempPrefix = "tmp-"

// objectPath returns the file of a bulky object.
func (s *Store) objectPath(digest string) string { return objectIn(s.ObjectsDir(), digest) }

func objectIn(dir, digest string) string { return filepath.Join(dir, digest[:2], digest) }

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
	ctx   context.Context // for failpoints on the way
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
func (s *Store) NewObject(ctx context.Context) *ObjectWriter {
	return &ObjectWriter{ctx: ctx, store: s, sum: sha256.New(), buf: []byte{}}
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
	if err := w.store.claim(w.ctx); err != nil {
		return err
	}
	f, err := os.CreateTemp(w.store.ObjectsDir(), tempPrefix+"*")
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
func (s *Store) openBulky(_ context.Context, ref Ref) (*Object, error) {
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
func (s *Store) ObjectPin(ref Ref) string {
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

func (s *Store) openIn(dir string, ref Ref) (*Object, error) {
	f, err := os.Open(objectIn(dir, ref.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &ObjectError{Ref: ref, State: s.path, Err: err}
	}
	o := &Object{ref: ref, store: s, src: f, file: f}
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
			return &ObjectError{Ref: ref, State: s.path, Err: err}
		}
		payload = append([]byte{}, p...)
		return nil
	})
	if err != nil || payload == nil {
		return nil, err
	}
	o := &Object{ref: ref, store: s, src: bytes.NewReader(payload)}
	if int64(len(payload)) != ref.Size {
		return nil, o.Damaged(fmt.Errorf("it has %d bytes instead of %d", len(payload), ref.Size))
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

// Damaged makes an *ObjectError of what was found to be wrong with the object. The
// end of a context is none of its faults.
func (o *Object) Damaged(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &ObjectError{Ref: o.ref, State: o.store.path, Err: err}
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
			return o.Damaged(fmt.Errorf("it ends after %d bytes instead of %d", at, o.ref.Size))
		}
		if err != nil && err != io.EOF {
			return o.Damaged(err)
		}
		sum.Write(buf[:n])
		at += int64(n)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.ref.Digest {
		return o.Damaged(fmt.Errorf("its content has the digest %s", got))
	}
	return nil
}
