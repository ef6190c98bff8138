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
