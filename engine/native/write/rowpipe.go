package write

import (
	"context"

	"reconcile/engine/rows"
)

// RowPipe is a cursor over chunks that another goroutine makes meanwhile. The next one
// is made while the last is read.
type RowPipe struct {
	chunks chan *rows.Chunk
	err    error // of who makes them, once chunks is closed
}

// NewRowPipe returns a pipe without chunks.
func NewRowPipe() *RowPipe { return &RowPipe{chunks: make(chan *rows.Chunk, 1)} }

// Send hands over a chunk, which must not change any more.
func (f *RowPipe) Send(ctx context.Context, ch *rows.Chunk) error {
	select {
	case f.chunks <- ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// End says that there are no more chunks, because of an error if it is not nil.
func (f *RowPipe) End(err error) {
	f.err = err
	close(f.chunks)
}

// Next implements rows.Cursor.
func (f *RowPipe) Next(ctx context.Context) (*rows.Chunk, error) {
	select {
	case ch, ok := <-f.chunks:
		if !ok {
			return nil, f.err
		}
		return ch, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements rows.Cursor.
func (f *RowPipe) Close() error { return nil }
