package dump

import (
	"context"
	"errors"
	"io/fs"

	"reconcile/internal/blob"
	"reconcile/internal/errclass"
)

// Unavailable reports whether an error says nothing of what the source holds: the source
// cannot be reached, who asks is not known there, or the context ended. Nothing may be
// concluded from it, so that nothing is held either: it stops the run.
func Unavailable(err error) bool {
	c := errclass.Of(err)
	return c == errclass.SourceUnavailable || c == errclass.Cancelled
}

// class gives an error of the store its class, where it says nothing of the object that
// was asked for.
func (s *Source) class(err error) error {
	if !unavailable(err) || errclass.Of(err) == errclass.Cancelled {
		return err
	}
	return &errclass.Error{Class: errclass.SourceUnavailable, About: s.Root(), Err: err}
}

// unavailable is what Unavailable says, of an error as the store gives it.
func unavailable(err error) bool {
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, blob.ErrConflict), refused(err):
		return false
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	return blob.Transient(err) || remote(err)
}

// refused reports whether a store does not give out one object, which holds what
// needs it and nothing else. In a folder that is a permission; what a store behind a
// network denies without saying ErrRefused is about who asks.
func refused(err error) bool {
	return errors.Is(err, blob.ErrRefused) || errors.Is(err, fs.ErrPermission) && !remote(err)
}

// remote reports whether an error comes from a store behind a network, which has
// tried again before it gave up.
func remote(err error) bool {
	var r interface{ Retried() bool }
	return errors.As(err, &r) && r.Retried()
}

// handle reads a file of the source.
type handle struct {
	blob.Handle
	s *Source
}

// ReadAt implements io.ReaderAt.
func (h handle) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.Handle.ReadAt(p, off)
	return n, h.s.class(err)
}
