package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/internal/amount"
)

// ErrTooLarge reports an object that is larger than the reader allows.
var ErrTooLarge = errors.New("too large")

// ReadAll reads a whole object of at most max bytes (ErrTooLarge if it has
// more).
func ReadAll(ctx context.Context, s Store, key string, max int64) ([]byte, Object, error) {
	h, err := s.Open(ctx, key)
	if err != nil {
		return nil, Object{}, err
	}
	defer h.Close()
	data, err := ReadWhole(h, max)
	return data, h.Object(), err
}

// ReadWhole reads all of an object that is open, of at most max bytes (ErrTooLarge if it
// has more).
func ReadWhole(h Handle, max int64) ([]byte, error) {
	o := h.Object()
	if o.Size > max {
		return nil, fmt.Errorf("read %s: %w: %s, at most %s are read", o.Key, ErrTooLarge, amount.Of(o.Size, "byte"), amount.Number(max))
	}
	data := make([]byte, o.Size)
	n, err := h.ReadAt(data, 0)
	if n == len(data) && (err == nil || err == io.EOF) {
		return data, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("read %s: %w", o.Key, err)
}

// Put writes a whole object if cond holds.
func Put(ctx context.Context, s Store, key string, data []byte, cond Cond) (Object, error) {
	w, err := s.Create(ctx, key, cond)
	if err != nil {
		return Object{}, err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return Object{}, err
	}
	return w.Commit()
}

// Copy copies an object within a store or between two, if cond holds for the
// new one. Readers of the new one see it whole or not at all.
func Copy(ctx context.Context, from Store, key string, to Store, newKey string, cond Cond) (Object, error) {
	h, err := from.Open(ctx, key)
	if err != nil {
		return Object{}, err
	}
	defer h.Close()
	w, err := to.Create(ctx, newKey, cond)
	if err != nil {
		return Object{}, err
	}
	defer w.Abort()
	size := h.Object().Size
	n, err := io.CopyBuffer(onlyWriter{w}, io.NewSectionReader(h, 0, size), make([]byte, 1<<20))
	if err == nil && n != size {
		err = fmt.Errorf("copy %s: %w", key, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return Object{}, err
	}
	return w.Commit()
}

type onlyWriter struct{ io.Writer }

// DeleteAll removes all objects below a prefix but those that are protected, several
// at once. An object that is gone already is no error.
func DeleteAll(ctx context.Context, s Store, prefix string, protect func(key string) bool) error {
	list, err := s.List(ctx, prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(deletesAtOnce)
	for _, o := range list {
		if protect != nil && protect(o.Key) {
			continue
		}
		g.Go(func() error {
			err := s.Delete(ctx, o.Key, Cond{})
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// deletesAtOnce hides the latency of a store behind a network.
const deletesAtOnce = 16

// Below returns what protects the keys at and below some prefixes.
func Below(prefixes ...string) func(key string) bool {
	return func(key string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return Under(key, p) })
	}
}
