package write

import (
	"context"

	"reconcile/internal/column"
)

// AsyncWriter writes batches one after the other, each while its caller makes the next
// one. Nobody may change a batch that was handed over. Whoever uses it waits before
// it goes on with the writer, also after an error.
type AsyncWriter struct {
	To   BatchWriter
	busy chan error // of the batch that is being written; nil without one
}

// Write starts writing b. The error may be that of the batch before.
func (o *AsyncWriter) Write(ctx context.Context, b *column.Batch) error {
	if err := o.Wait(); err != nil {
		return err
	}
	o.busy = make(chan error, 1)
	go func(done chan<- error) { done <- o.To.Write(ctx, b) }(o.busy)
	return nil
}

// Wait returns when nothing is being written.
func (o *AsyncWriter) Wait() error {
	if o.busy == nil {
		return nil
	}
	err := <-o.busy
	o.busy = nil
	return err
}
