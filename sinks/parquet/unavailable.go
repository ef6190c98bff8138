package parquet

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"reconcile/internal/blob"
	"reconcile/internal/errclass"
	"reconcile/sinks"
)

// class gives an error of the store the class that it has as one of the sink. What says
// something of one object, as that it is not there or not as a condition demands, is left
// as it is.
func (s *sink) class(err error) error {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, fs.ErrNotExist), errors.Is(err, blob.ErrConflict):
		return err
	}
	switch errclass.Of(err) {
	case errclass.FolderUnusable, errclass.Cancelled:
		return err
	}
	return &sinks.UnavailableError{Root: s.Root(), Advice: s.o.Advice, Err: err}
}

// open opens a file of the sink.
func (s *sink) open(ctx context.Context, key string) (*input, error) {
	h, err := s.store.Open(ctx, key)
	if err != nil {
		return nil, s.class(err)
	}
	return &input{h, s}, nil
}

// input is a file of the sink that is read.
type input struct {
	blob.Handle
	s *sink
}

// ReadAt implements io.ReaderAt.
func (i *input) ReadAt(p []byte, off int64) (int, error) {
	n, err := i.Handle.ReadAt(p, off)
	return n, i.s.class(err)
}

// output takes the bytes of a file of the sink that is written.
type output struct {
	obj blob.Writer
	s   *sink
}

// Write implements io.Writer.
func (o output) Write(p []byte) (int, error) {
	n, err := o.obj.Write(p)
	return n, o.s.class(err)
}
