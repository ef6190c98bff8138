package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/amount"
	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/kv"
)

// copyAtOnce is the size in bytes of the pieces in which objects are read and copied.
const copyAtOnce = 256 << 10

// backupsAtOnce hides the latency of the store.
const backupsAtOnce = 8

// objects brings all objects that the state names to the backup.
func (w *writer) objects(ctx context.Context) error {
	inside := w.copy.Inline()
	seen := map[string]bool{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(backupsAtOnce)
	for ref := range w.copy.Refs() {
		if seen[ref.Digest] || !kv.ValidDigest(ref.Digest) {
			continue
		}
		seen[ref.Digest] = true
		if inside[ref.Digest] {
			if err := w.inside(ref); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		g.Go(func() error { return w.object(gctx, ref) })
	}
	return g.Wait()
}

// inside proves an object that is inside the file.
func (w *writer) inside(ref state.Ref) error {
	payload, err := w.copy.File.Small(ref.Digest)
	if err == nil && digestHex(payload) == ref.Digest {
		return nil
	}
	if err == nil {
		err = errors.New("its content is another one")
	}
	return w.lack(&state.ObjectError{Ref: ref, State: w.store.Place(), Err: err})
}

// lack notes an object that the state does not have.
func (w *writer) lack(err error) error {
	var bad *state.ObjectError
	if !w.lenient || !errors.As(err, &bad) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made.Lacks = append(w.made.Lacks, bad.Ref.Digest)
	w.out.Warnings = append(w.out.Warnings, fmt.Sprintf("the backup lacks what the state lacks: %v", err))
	return nil
}

// object brings one object to the backup, unless it is there.
func (w *writer) object(ctx context.Context, ref state.Ref) error {
	key := w.to.objectKey(ref.Digest)
	there, ok := w.listed[key]
	if ok && there.Size == ref.Size {
		proved := w.trust && there.Pin != "" && there.Pin == w.pins[ref.Digest]
		if !proved {
			digest, _, err := digestOfKey(ctx, w.to.Store, key)
			if err != nil {
				return err
			}
			proved = digest == ref.Digest
		}
		if proved {
			w.has(ref, there.Pin, false)
			return nil
		}
	}
	if err := failpoint.Hit(ctx, failpoint.BackupObject); err != nil {
		return err
	}
	o, err := w.copyObject(ctx, ref, key)
	if err != nil {
		return w.lack(err)
	}
	w.has(ref, o.Pin, true)
	return nil
}

// has notes an object that the backup has.
func (w *writer) has(ref state.Ref, pin string, copied bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made.Objects = append(w.made.Objects, ManifestObject{Digest: ref.Digest, Size: ref.Size, Pin: pin})
	if w.out.Objects++; copied {
		w.out.Copied++
		w.out.Bytes += ref.Size
	}
}

// copyObject copies an object of the state, of which the digest is proved before it gets
// its name.
func (w *writer) copyObject(ctx context.Context, ref state.Ref, key string) (blob.Object, error) {
	from, err := w.store.OpenObject(ctx, ref)
	if err != nil {
		return blob.Object{}, err
	}
	defer from.Close()
	to, err := w.to.Store.Create(ctx, key, blob.Cond{})
	if err != nil {
		return blob.Object{}, err
	}
	defer to.Abort()
	sum := sha256.New()
	src := &sourceReader{r: io.NewSectionReader(from, 0, from.Size())}
	n, err := io.CopyBuffer(io.MultiWriter(to, sum), src, make([]byte, copyAtOnce))
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case src.err != nil:
		return blob.Object{}, from.Damaged(src.err)
	case err != nil:
		return blob.Object{}, err
	case n != ref.Size:
		return blob.Object{}, from.Damaged(fmt.Errorf("it ends after %s instead of %s", amount.Of(n, "byte"), amount.Number(ref.Size)))
	case got != ref.Digest:
		return blob.Object{}, from.Damaged(fmt.Errorf("its content has the digest %s", got))
	}
	return to.Commit()
}

// sourceReader tells errors of what is read from those of what is written.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func digestHex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// digestOfKey reads an object of a store for its digest and size.
func digestOfKey(ctx context.Context, s blob.Store, key string) (string, int64, error) {
	h, err := s.Open(ctx, key)
	if err != nil {
		return "", 0, err
	}
	defer h.Close()
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, io.NewSectionReader(h, 0, h.Object().Size), make([]byte, copyAtOnce))
	return hex.EncodeToString(sum.Sum(nil)), n, err
}
