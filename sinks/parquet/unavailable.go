package parquet

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"reconcile/internal/blob"
	"reconcile/sinks"
)

// classed is a store whose own failures are of the sink's class for that. What says
// something of one object, as that it is not there or not as a condition demands, is
// left as it is.
type classed struct {
	blob.Store
	advice string
}

// class gives an error of the store its class.
func (s classed) class(err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist), errors.Is(err, blob.ErrConflict),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case sinks.OfFolder(err):
		return err
	}
	return &sinks.UnavailableError{Root: s.Root(), Advice: s.advice, Err: err}
}

func (s classed) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	out, err := s.Store.List(ctx, prefix)
	return out, s.class(err)
}

func (s classed) Fingerprint(ctx context.Context, prefix string, keys []string) (string, error) {
	fingerprint, err := blob.Fingerprint(ctx, s.Store, prefix, keys)
	return fingerprint, s.class(err)
}

func (s classed) ListSince(ctx context.Context, prefix, fingerprint string, files []blob.Pinned) ([]blob.Object, bool, error) {
	out, whole, err := blob.ListSince(ctx, s.Store, prefix, fingerprint, files)
	return out, whole, s.class(err)
}

func (s classed) Stat(ctx context.Context, key string) (blob.Object, error) {
	o, err := s.Store.Stat(ctx, key)
	return o, s.class(err)
}

func (s classed) Open(ctx context.Context, key string) (blob.Handle, error) {
	h, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, s.class(err)
	}
	return classedHandle{h, s}, nil
}

func (s classed) Create(ctx context.Context, key string, cond blob.Cond) (blob.Writer, error) {
	w, err := s.Store.Create(ctx, key, cond)
	if err != nil {
		return nil, s.class(err)
	}
	return classedWriter{w, s}, nil
}

func (s classed) Move(ctx context.Context, from, to string, cond blob.Cond) (blob.Object, error) {
	o, err := s.Store.Move(ctx, from, to, cond)
	return o, s.class(err)
}

func (s classed) CanMove(ctx context.Context, from string, to []string) error {
	return s.class(blob.CanMove(ctx, s.Store, from, to))
}

func (s classed) Delete(ctx context.Context, key string, cond blob.Cond) error {
	return s.class(s.Store.Delete(ctx, key, cond))
}

func (s classed) RemoveEmptyFolders(ctx context.Context, folder, stop string) error {
	return s.class(s.Store.RemoveEmptyFolders(ctx, folder, stop))
}

func (s classed) RemoveLeftovers(ctx context.Context, o blob.Leftovers) error {
	return s.class(s.Store.RemoveLeftovers(ctx, o))
}

type classedHandle struct {
	blob.Handle
	s classed
}

func (h classedHandle) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.Handle.ReadAt(p, off)
	return n, h.s.class(err)
}

type classedWriter struct {
	blob.Writer
	s classed
}

func (w classedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, w.s.class(err)
}

func (w classedWriter) Commit() (blob.Object, error) {
	o, err := w.Writer.Commit()
	return o, w.s.class(err)
}
