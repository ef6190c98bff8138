package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"reconcile/internal/blob"
	"reconcile/sinks"
)

// SinkError says that a sink could not be read or written. It stops the tables
// of that sink and no others.
type SinkError struct {
	Root string
	// Departed says that the configuration no longer has the sink.
	Departed bool
	Err      error
}

func (e *SinkError) Error() string {
	text := fmt.Sprintf("sink %s: %v", e.Root, e.Err)
	if e.Departed {
		text += fmt.Sprintf(" (the configuration no longer has this sink: if it will never be back, -forget-sink=%s lets it go)", e.Root)
	}
	return text
}

func (e *SinkError) Unwrap() error { return e.Err }

// stopsTable reports whether an error concerns one table and what shares its
// sink, so that the rest can go on: a sink that fails, or that somebody else
// changed under a commit.
func (e *Engine) stopsTable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var se *SinkError
	if errors.As(err, &se) {
		e.down[se.Root] = se
		return true
	}
	return errors.Is(err, sinks.ErrDrift) || ofPlace(err) || distrusted(err) != nil
}

// ofPlace reports whether an error is one of a folder in a sink, and no fault of the
// rest: files cannot be moved there, or a link leads away.
func ofPlace(err error) bool {
	return errors.Is(err, blob.ErrDevice) || errors.Is(err, blob.ErrOutside)
}

// unreachable returns why a table cannot be worked on in this run, nil if it
// can: one of its sinks failed, or its last commit could not be finished.
func (e *Engine) unreachable(t *TablePlan) error {
	if err := e.stuck[t.Name]; err != nil && (t.repair == "" || distrusted(err) == nil) {
		return err
	}
	for _, at := range foldersOf(t) {
		if err := cmp.Or(e.down[at.root], e.gone[at.root]); err != nil {
			return err
		}
	}
	return nil
}

// sinkStore marks the failures of a sink's store.
type sinkStore struct {
	blob.Store
	departed bool
}

func (s sinkStore) mark(err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist), errors.Is(err, blob.ErrConflict),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case ofPlace(err):
		return err
	}
	return &SinkError{s.Root(), s.departed, err}
}

func (s sinkStore) List(ctx context.Context, prefix string) ([]blob.Object, error) {
	out, err := s.Store.List(ctx, prefix)
	return out, s.mark(err)
}

func (s sinkStore) Mark(ctx context.Context, prefix string, keys []string) (string, error) {
	mark, err := blob.Mark(ctx, s.Store, prefix, keys)
	return mark, s.mark(err)
}

func (s sinkStore) ListMarked(ctx context.Context, prefix, mark string, files []blob.Pinned) ([]blob.Object, bool, error) {
	out, whole, err := blob.ListMarked(ctx, s.Store, prefix, mark, files)
	return out, whole, s.mark(err)
}

func (s sinkStore) Stat(ctx context.Context, key string) (blob.Object, error) {
	o, err := s.Store.Stat(ctx, key)
	return o, s.mark(err)
}

func (s sinkStore) Open(ctx context.Context, key string) (blob.Handle, error) {
	h, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, s.mark(err)
	}
	return sinkHandle{h, s}, nil
}

func (s sinkStore) Create(ctx context.Context, key string, cond blob.Cond) (blob.Writer, error) {
	w, err := s.Store.Create(ctx, key, cond)
	if err != nil {
		return nil, s.mark(err)
	}
	return sinkWriter{w, s}, nil
}

func (s sinkStore) Move(ctx context.Context, from, to string, cond blob.Cond) (blob.Object, error) {
	o, err := s.Store.Move(ctx, from, to, cond)
	return o, s.mark(err)
}

func (s sinkStore) CanMove(ctx context.Context, from string, to []string) error {
	return s.mark(blob.CanMove(ctx, s.Store, from, to))
}

func (s sinkStore) Delete(ctx context.Context, key string, cond blob.Cond) error {
	return s.mark(s.Store.Delete(ctx, key, cond))
}

func (s sinkStore) Prune(ctx context.Context, folder, stop string) error {
	return s.mark(s.Store.Prune(ctx, folder, stop))
}

func (s sinkStore) Tidy(ctx context.Context, o blob.Leftovers) error {
	return s.mark(s.Store.Tidy(ctx, o))
}

type sinkHandle struct {
	blob.Handle
	s sinkStore
}

func (h sinkHandle) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.Handle.ReadAt(p, off)
	return n, h.s.mark(err)
}

type sinkWriter struct {
	blob.Writer
	s sinkStore
}

func (w sinkWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, w.s.mark(err)
}

func (w sinkWriter) Commit() (blob.Object, error) {
	o, err := w.Writer.Commit()
	return o, w.s.mark(err)
}
