// Package quarantine has the form in which rows are kept that no table can have, because
// they lack their key columns: an object for each dump, read as a stream and written as a
// whole. It never decides which rows these are.
package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"

	"reconcile/engine/exec"
)

// Row is a row that lacks its key columns.
type Row struct {
	Table  string `json:"table"`
	Dump   int64  `json:"dump"`
	File   string `json:"file"`
	Row    int64  `json:"row"`
	Reason string `json:"reason"`
	Data   string `json:"data"` // the row as JSON text, masks applied
}

// write stores the rows of one dump as an object of the state: compressed lines of JSON.
func write(ctx context.Context, store exec.Objects, next source) (*exec.Object, error) {
	o := store.Create(ctx)
	z, err := zstd.NewWriter(o, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, errors.Join(err, o.Abort())
	}
	enc := json.NewEncoder(z)
	enc.SetEscapeHTML(false)
	n := int64(0)
	for {
		var r *Row
		if r, err = next(); err == nil && r != nil {
			err = enc.Encode(r)
		}
		if err != nil || r == nil {
			break
		}
		n++
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the quarantine: %w", err), o.Abort())
	}
	obj, err := o.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = n
	return obj, nil
}

// window is how far back rows are compared when they are compressed.
const window = 256 << 10

// Rewrite stores the rows of one dump again, each as change makes it.
func Rewrite(ctx context.Context, store exec.Objects, q exec.DumpRef, change func(*Row) error) (*exec.Object, error) {
	next, stop := iter.Pull2(func(yield func(*Row, error) bool) {
		err := Each(ctx, store, q, func(r Row) error {
			if err := change(&r); err != nil {
				return err
			}
			if !yield(&r, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	})
	defer stop()
	return write(ctx, store, func() (*Row, error) {
		r, err, _ := next()
		return r, err
	})
}

var errStopped = errors.New("nobody takes more rows")

// Each reads the rows of one dump.
func Each(ctx context.Context, store exec.Objects, q exec.DumpRef, use func(Row) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("quarantined rows of dump %d: %w", q.Dump, err)
		}
	}()
	o, err := store.Open(ctx, q.Ref)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.Verify(ctx); err != nil {
		return err
	}
	z, err := zstd.NewReader(io.NewSectionReader(o, 0, o.Size()), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return o.Damaged(err)
	}
	defer z.Close()
	dec := json.NewDecoder(z)
	for {
		var b Row
		err := dec.Decode(&b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return o.Damaged(err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := use(b); err != nil {
			return err
		}
	}
}
