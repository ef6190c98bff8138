package write

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"reconcile/internal/column"
)

// slowWriter takes batches one at a time; those of fail rows it refuses.
type slowWriter struct {
	t    *testing.T
	one  chan struct{}
	fail int
	took []int
}

func (w *slowWriter) Write(_ context.Context, b *column.Batch) error {
	select {
	case w.one <- struct{}{}:
	default:
		w.t.Error("two batches are written at once")
	}
	defer func() { <-w.one }()
	time.Sleep(time.Millisecond)
	if b.N == w.fail {
		return errors.ErrUnsupported
	}
	w.took = append(w.took, b.N)
	return nil
}

// Writes at the same time keep their order, and an error is told of by the next call.
func TestAsyncWriter(t *testing.T) {
	for fail := range 6 {
		w := &slowWriter{t: t, one: make(chan struct{}, 1), fail: fail}
		o := AsyncWriter{To: w}
		var failed error
		wrote := 0
		for i := 1; i <= 4 && failed == nil; i++ {
			if failed = o.Write(t.Context(), &column.Batch{N: i}); failed == nil {
				wrote++
			}
		}
		failed = errors.Join(failed, o.Wait())
		want := []int{1, 2, 3, 4}
		if fail >= 1 && fail <= 4 {
			want = want[:fail-1]
		}
		if !slices.Equal(w.took, want) || errors.Is(failed, errors.ErrUnsupported) != (len(want) < 4) {
			t.Errorf("the writer of batch %d fails: %v were written, error %v", fail, w.took, failed)
		}
		if len(want) < 3 && wrote > len(want)+1 {
			t.Errorf("the writer of batch %d fails: %d batches were taken", fail, wrote)
		}
		if err := o.Wait(); err != nil {
			t.Errorf("an error is told of again: %v", err)
		}
	}
}
