package chain

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
)

// inMemory is how much of an object is kept in memory while it is written.
const inMemory = 1 << 20

// ObjectWriter writes one object. It is for one goroutine.
type ObjectWriter struct {
	c    *Chain
	ctx  context.Context
	name objectName
	sum  hash.Hash
	buf  bytes.Buffer
	file *os.File // what does not fit in memory, nil before
	size int64
}

// NewObject begins to write an object under a lease with a generation. Its name has
// the digest of its bytes, so that nothing is sent before Commit; until then what is
// large lies in a file in Options.Dir. The caller calls Abort in any case.
func (c *Chain) NewObject(ctx context.Context, generation uint64) *ObjectWriter {
	n := objectName{generation: generation, nonce: strings.ToLower(rand.Text())}
	return &ObjectWriter{c: c, ctx: ctx, name: n, sum: sha256.New()}
}

// Write adds bytes.
func (w *ObjectWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	w.sum.Write(p)
	w.size += int64(len(p))
	if w.file == nil && w.buf.Len()+len(p) <= inMemory {
		return w.buf.Write(p)
	}
	if w.file == nil {
		f, err := os.CreateTemp(w.c.o.Dir, "object-*")
		if err != nil {
			return 0, fmt.Errorf("write an object of the state: %w", err)
		}
		w.file = f
	}
	return w.file.Write(p)
}

// Commit sends the object and says how to find it. It is durable then, and no
// record names it yet.
func (w *ObjectWriter) Commit() (Ref, error) {
	w.sum.Sum(w.name.digest[:0])
	ref := Ref{Name: w.name.String(), Size: w.size, Digest: w.name.digest}
	var r io.Reader = bytes.NewReader(w.buf.Bytes())
	if w.file != nil {
		if _, err := w.file.Seek(0, io.SeekStart); err != nil {
			return Ref{}, fmt.Errorf("write object %s of the state: %w", ref.Name, err)
		}
		r = io.MultiReader(r, w.file)
	}
	err := failpoint.Hit(w.ctx, failpoint.ObjectSendBefore)
	if err == nil { // nobody else uses the name, and no condition is needed
		err = w.c.place.upload(w.ctx, objectKey(ref.Name), r, w.size, blob.Cond{})
	}
	if err == nil {
		err = failpoint.Hit(w.ctx, failpoint.ObjectSendAfter)
	}
	if err != nil {
		return Ref{}, fmt.Errorf("write object %s of the state: %w", ref.Name, err)
	}
	return ref, nil
}

// Abort removes what lies on this machine. It does not take back what was sent: an
// object that no record names is collected.
func (w *ObjectWriter) Abort() {
	w.buf = bytes.Buffer{}
	if w.file != nil {
		w.file.Close()
		os.Remove(w.file.Name())
		w.file = nil
	}
}

// OpenObject opens an object for reading by ranges; the caller closes it. It fails
// with fs.ErrNotExist if there is none, about which Missing knows more, and with
// *DamagedError if it has another size. The bytes are the caller's to verify.
func (c *Chain) OpenObject(ctx context.Context, name string, size int64) (blob.Handle, error) {
	if _, ok := parseObjectName(name); !ok {
		return nil, c.place.damaged(objectKey(name), "no object has such a name")
	}
	h, err := c.place.store.Open(ctx, objectKey(name))
	if err != nil {
		return nil, err
	}
	if n := h.Object().Size; n != size {
		h.Close()
		return nil, c.place.damaged(objectKey(name), fmt.Sprintf("it has %s, not %s", amount.Of(n, "byte"), amount.Number(size)))
	}
	return h, nil
}

// Missing is the error of an object that is named by the state as of a position and
// is not there: ErrBeginAgain if the chain has moved on from there, for then the
// object may have been removed, else a *DamagedError.
func (c *Chain) Missing(ctx context.Context, name string, at Position) error {
	v, err := c.Follow(ctx, at)
	switch {
	case err != nil && !isDamage(err):
		return err
	case err == nil && len(v.Records) > 0:
		return fmt.Errorf("object %s of the state: %w", name, ErrBeginAgain)
	}
	return c.place.damaged(objectKey(name), "it is missing")
}

// spill makes the payload of a record an object.
func (c *Chain) spill(ctx context.Context, r *Record) error {
	w := c.NewObject(ctx, r.Generation)
	w.name.serial = r.Serial
	defer w.Abort()
	if _, err := w.Write(r.Payload); err != nil {
		return err
	}
	ref, err := w.Commit()
	if err != nil {
		return err
	}
	r.Spilled = &ref
	return nil
}

// Payload returns the payload of a record that was read. If it is an object, that
// is read. One that is gone, or is not what was written, gives ErrBeginAgain where
// a checkpoint stands at or above the record, else a *DamagedError.
func (c *Chain) Payload(ctx context.Context, r *Record) ([]byte, error) {
	if r.Spilled == nil || len(r.Payload) > 0 {
		return r.Payload, nil
	}
	key := objectKey(r.Spilled.Name)
	data, _, err := blob.ReadAll(ctx, c.place.store, key, r.Spilled.Size)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = c.place.damaged(key, fmt.Sprintf("it is missing, and record %d names it", r.Serial))
	case errors.Is(err, blob.ErrTooLarge), err == nil && sha256.Sum256(data) != r.Spilled.Digest:
		err = c.place.damaged(key, "it is not what was written")
	}
	if err != nil {
		return nil, c.unlessMoved(ctx, r.Serial-1, err)
	}
	return data, nil
}
