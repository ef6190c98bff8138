package child

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"reconcile/engine/exec"
	"reconcile/engine/identity"
	"reconcile/internal/errclass"
)

// broughtAlong is how many bytes an object may have that is part of the result.
const broughtAlong = 4 << 10

// folder is objects in the files of folders, each under its digest.
type folder struct {
	named string // those that are read
	fresh string // those that are made
}

// Open implements exec.Objects.
func (f *folder) Open(_ context.Context, ref exec.Ref) (exec.OpenObject, error) {
	file, err := os.Open(filepath.Join(f.named, ref.Digest))
	if err != nil {
		return nil, &errclass.Error{Class: errclass.Damaged, About: ref.Digest, Err: err}
	}
	return &object{file, ref}, nil
}

// Create implements exec.Objects.
func (f *folder) Create(context.Context) exec.ObjectWriter {
	err := os.MkdirAll(f.fresh, 0o700)
	var file *os.File
	if err == nil {
		file, err = os.CreateTemp(f.fresh, "object-*")
	}
	return &objectWriter{file: file, err: err, sum: sha256.New()}
}

// object is one that is open.
type object struct {
	*os.File
	ref exec.Ref
}

// Size implements exec.OpenObject.
func (o *object) Size() int64 { return o.ref.Size }

// Verify implements exec.OpenObject.
func (o *object) Verify(ctx context.Context) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(o, 0, o.ref.Size)); err != nil {
		return o.Damaged(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.ref.Digest {
		return o.Damaged(fmt.Errorf("its content has the digest %s", got))
	}
	return ctx.Err()
}

// Damaged implements exec.OpenObject.
func (o *object) Damaged(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &errclass.Error{Class: errclass.Damaged, About: o.ref.Digest, Err: err}
}

// objectWriter writes a new object. Small ones become part of the result.
type objectWriter struct {
	file *os.File // nil once it is closed
	err  error    // why there is none
	sum  hash.Hash
	size int64
	head bytes.Buffer // what was written, while it is little
}

func (w *objectWriter) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(b)
	w.sum.Write(b[:n])
	w.size += int64(n)
	if w.size <= broughtAlong {
		w.head.Write(b[:n])
	}
	return n, err
}

// Close implements exec.ObjectWriter.
func (w *objectWriter) Close(context.Context) (*exec.Object, error) {
	if w.err != nil {
		return nil, w.err
	}
	o := &exec.Object{Ref: exec.Ref{Digest: hex.EncodeToString(w.sum.Sum(nil)), Size: w.size}}
	if w.size <= broughtAlong {
		o.Bytes = w.head.Bytes()
		if o.Bytes == nil {
			o.Bytes = []byte{}
		}
		return o, w.Abort()
	}
	o.Location = w.file.Name()
	f := w.file
	w.file = nil
	return o, errors.Join(f.Sync(), f.Close())
}

// Abort implements exec.ObjectWriter.
func (w *objectWriter) Abort() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// mappings are the user mappings of one task.
type mappings struct {
	objects  *folder
	budget   exec.Budget
	mu       sync.Mutex
	closures map[string]*identity.Closure
}

// Mapping implements exec.Mappings.
func (m *mappings) Mapping(ctx context.Context, ref exec.Ref) (_ *identity.Mapping, err error) {
	if ref.IsZero() {
		return &identity.Mapping{}, nil
	}
	o, err := m.objects.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	info, err := o.(*object).Stat() // a plan does not know the size
	if err != nil {
		return nil, err
	}
	out, err := identity.Decode(io.NewSectionReader(o, 0, info.Size()), info.Size())
	return out, o.Damaged(err)
}

// Closure implements exec.Mappings.
func (m *mappings) Closure(ctx context.Context, ref exec.Ref) (*identity.Closure, error) {
	if ref.IsZero() {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.closures[ref.Digest]; c != nil {
		return c, nil
	}
	full, err := m.Mapping(ctx, ref)
	if err != nil {
		return nil, err
	}
	if m.closures == nil {
		m.closures = map[string]*identity.Closure{}
	}
	m.closures[ref.Digest] = full.Closure(m.budget.Workers())
	return m.closures[ref.Digest], nil
}
