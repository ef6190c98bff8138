package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"reconcile/internal/blob"
)

var quick = blob.Retry{Attempts: 4, Wait: time.Microsecond}

func TestRetryDo(t *testing.T) {
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		err   error
		fails int
		calls int
		ok    bool
	}{
		{"at once", ctx, nil, 0, 1, true},
		{"after two", ctx, syscall.EIO, 2, 3, true},
		{"wrapped", ctx, fmt.Errorf("read: %w", &fs.PathError{Err: syscall.ESTALE}), 1, 2, true},
		{"used up", ctx, syscall.EAGAIN, 9, 4, false},
		{"not transient", ctx, fs.ErrNotExist, 9, 1, false},
		{"cancelled", cancelled, syscall.EIO, 9, 1, false},
	} {
		calls := 0
		r := quick
		if c.name == "cancelled" {
			r.Wait = time.Hour
		}
		err := r.Do(c.ctx, func() error {
			if calls++; calls <= c.fails {
				return c.err
			}
			return nil
		})
		if calls != c.calls || (err == nil) != c.ok || !c.ok && !errors.Is(err, c.err) {
			t.Errorf("%s: %d calls, %v", c.name, calls, err)
		}
	}
}

// flaky fails every operation twice before it succeeds.
type flaky struct {
	blob.Store
	left map[string]int
}

func (f *flaky) fail(op string) error {
	if f.left[op] < 2 {
		f.left[op]++
		return fmt.Errorf("%s: %w", op, syscall.EIO)
	}
	return nil
}

func (f *flaky) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	if err := f.fail("list"); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, prefix)
}

func (f *flaky) Stat(ctx context.Context, key string) (blob.Object, error) {
	if err := f.fail("stat"); err != nil {
		return blob.Object{}, err
	}
	return f.Store.Stat(ctx, key)
}

func (f *flaky) Open(ctx context.Context, key string) (blob.Handle, error) {
	if err := f.fail("open"); err != nil {
		return nil, err
	}
	h, err := f.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return &flakyHandle{Handle: h, f: f}, nil
}

type flakyHandle struct {
	blob.Handle
	f *flaky
}

func (h *flakyHandle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.f.fail("read"); err != nil {
		return 0, err
	}
	return h.Handle.ReadAt(p, off)
}

func TestReadsAreRetried(t *testing.T) {
	l, _ := newLocal(t)
	if _, err := blob.Put(ctx, l, "k", []byte("data"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	s := blob.WithRetries(&flaky{Store: l, left: map[string]int{}}, quick)
	if list, err := s.List(ctx, ""); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
	if _, err := s.Stat(ctx, "k"); err != nil {
		t.Error(err)
	}
	if data, _, err := blob.ReadAll(ctx, s, "k", 10); err != nil || string(data) != "data" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestRetriedReadsAreOfOneObject says that a handle never goes on with an
// object that took the place of the one it was opened on.
func TestRetriedReadsAreOfOneObject(t *testing.T) {
	l, _ := newLocal(t)
	f := &flaky{Store: l, left: map[string]int{"open": 2}}
	s := blob.WithRetries(f, quick)
	if _, err := blob.Put(ctx, l, "k", []byte("old"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	h, err := s.Open(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := blob.Put(ctx, l, "k", []byte("new"), blob.Cond{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReadAt(make([]byte, 3), 0); !errors.Is(err, blob.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}
