package write

import (
	"context"
	"errors"
	"testing"

	"reconcile/engine/rows"
)

// A flow hands over chunks in their order, and then how it ended.
func TestRowPipe(t *testing.T) {
	for _, end := range []error{nil, errors.ErrUnsupported} {
		f := NewRowPipe()
		go func() {
			for i := range 3 {
				if err := f.Send(t.Context(), &rows.Chunk{First: i}); err != nil {
					t.Error(err)
				}
			}
			f.End(end)
		}()
		for i := range 3 {
			ch, err := f.Next(t.Context())
			if err != nil || ch == nil || ch.First != i {
				t.Fatalf("chunk %d is %v, error %v", i, ch, err)
			}
		}
		if ch, err := f.Next(t.Context()); ch != nil || !errors.Is(err, end) {
			t.Errorf("after the last chunk comes %v, error %v; want error %v", ch, err, end)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	f := NewRowPipe()
	if _, err := f.Next(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that is given up gets error %v", err)
	}
	f.chunks <- &rows.Chunk{}
	if err := f.Send(gone, &rows.Chunk{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a maker that is given up gets error %v", err)
	}
}
