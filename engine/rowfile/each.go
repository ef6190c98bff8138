package rowfile

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/exec"
	"reconcile/internal/column"
	"reconcile/sinks"
)

// EachBatch hands on the batches of a file in their order, and closes it.
func EachBatch(ctx context.Context, rd sinks.Reader, use func(*column.Batch) error) (err error) {
	defer func() { err = errors.Join(err, rd.Close()) }()
	for {
		b, err := rd.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := use(b); err != nil {
			return err
		}
	}
}

// EachIn reads columns of published files, a batch at a time.
func EachIn(ctx context.Context, sk exec.Sink, files []exec.File, want []column.Column, use func(*column.Batch) error) error {
	for _, f := range files {
		rd, err := sk.Open(ctx, f.Path, f.Pin, want)
		if err == nil {
			err = EachBatch(ctx, rd, use)
		}
		if err != nil {
			return fmt.Errorf("reading %s, whose rows stand in for some that are gone (if it is damaged for good, move it away): %w", f.Path, err)
		}
	}
	return nil
}
