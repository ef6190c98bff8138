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

	"reconcile/internal/amount"
)

// ObjectStore is where a backend keeps bulky objects.
type ObjectStore interface {
	// Create begins an object.
	Create(ctx context.Context) (ObjectFile, error)
}

// ObjectFile takes the bytes of one bulky object. It ends with Finish or Abort.
type ObjectFile interface {
	io.Writer
	// Finish makes the object durable, and returns its name if it has another one than
	// its digest.
	Finish(ctx context.Context, digest string) (name string, err error)
	// Abort gives the object up. It may follow a failed Finish.
	Abort() error
}

// ObjectWriter takes the bytes of a new object: in memory while they are few,
// then where the backend keeps bulky ones. It is for one goroutine, and ends with Close
// or Abort. Errors of Write are those of the disk.
type ObjectWriter struct {
	ctx    context.Context // of what is written before Close
	bulky  ObjectStore
	inline int // bytes up to which it stays inside the state
	sum    hash.Hash
	size   int64
	buf    []byte
	file   ObjectFile
}

// Sealed is an object whose content is complete: durable, or, when small, in memory
// until Tx.PutObject stores it.
type Sealed struct {
	Ref     Ref    // Rows is the caller's to set
	payload []byte // nil when the object is bulky
}

// Payload returns the content of a small object, which is not to be changed; nil if the
// object is bulky.
func (o *Sealed) Payload() []byte { return o.payload }

// Seal makes an object of a reference and, if it is small, its content: the reverse of
// Sealed.Payload. It fails if the content is another one. A bulky object must be durable
// already.
func Seal(ref Ref, payload []byte) (*Sealed, error) {
	o := &Sealed{Ref: ref, payload: payload}
	if payload == nil {
		return o, nil
	}
	if sum := sha256.Sum256(payload); int64(len(payload)) != ref.Size || hex.EncodeToString(sum[:]) != ref.Digest {
		return nil, fmt.Errorf("object %s has other content than its name says", ref.Digest)
	}
	return o, nil
}

// NewObjectWriter begins an object that stays in memory up to inline bytes, with -1 not
// at all.
func NewObjectWriter(ctx context.Context, bulky ObjectStore, inline int) *ObjectWriter {
	return &ObjectWriter{ctx: ctx, bulky: bulky, inline: inline, sum: sha256.New(), buf: []byte{}}
}

// Write adds p to the object.
func (w *ObjectWriter) Write(p []byte) (int, error) {
	if w.file == nil && len(w.buf)+len(p) > w.inline {
		if err := w.Spill(); err != nil {
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

// Spill moves what was buffered to where bulky objects are. What follows goes there, too.
func (w *ObjectWriter) Spill() error {
	f, err := w.bulky.Create(w.ctx)
	if err != nil {
		return err
	}
	w.file = f
	_, err = f.Write(w.buf)
	w.buf = nil
	return err
}

// Close ends the object. A bulky one is durable when Close returns. After an error the
// writer is gone, as after Abort.
func (w *ObjectWriter) Close(ctx context.Context) (*Sealed, error) {
	o := &Sealed{Ref: Ref{Digest: hex.EncodeToString(w.sum.Sum(nil)), Size: w.size}}
	if w.file == nil && w.inline >= 0 {
		o.payload = w.buf
		return o, nil
	}
	var err error
	if w.file == nil { // empty, and nothing may be inline
		err = w.Spill()
	}
	if err == nil {
		o.Ref.Name, err = w.file.Finish(ctx, o.Ref.Digest)
	}
	if err != nil {
		return nil, fmt.Errorf("finish object: %w", errors.Join(err, w.Abort()))
	}
	w.file = nil
	return o, nil
}

// Abort gives the object up. After Close it does nothing.
func (w *ObjectWriter) Abort() error {
	w.buf = nil
	if w.file == nil {
		return nil
	}
	err := w.file.Abort()
	w.file = nil
	return err
}

// Object is the content of an object, open for reading at any place by several
// goroutines.
type Object struct {
	ref   Ref
	place string // of the state
	src   io.ReaderAt
	end   io.Closer // nil of a small one
}

// NewObject returns an object whose bytes are read from src. Close closes end.
func NewObject(ref Ref, place string, src io.ReaderAt, end io.Closer) *Object {
	return &Object{ref: ref, place: place, src: src, end: end}
}

// NewSmallObject returns an object whose content is payload, which is checked.
func NewSmallObject(ctx context.Context, ref Ref, place string, payload []byte) (*Object, error) {
	o := &Object{ref: ref, place: place, src: bytes.NewReader(payload)}
	if int64(len(payload)) != ref.Size {
		return nil, o.Damaged(fmt.Errorf("it has %s instead of %s", amount.Of(len(payload), "byte"), amount.Number(ref.Size)))
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
	if o.end == nil {
		return nil
	}
	return o.end.Close()
}

// Damaged makes an *ObjectError of what was found to be wrong with the object. The
// end of a context is none of its faults.
func (o *Object) Damaged(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &ObjectError{Ref: o.ref, State: o.place, Err: err}
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
			return o.Damaged(fmt.Errorf("it ends after %s instead of %s", amount.Of(at, "byte"), amount.Number(o.ref.Size)))
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
