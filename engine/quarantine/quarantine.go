// Package quarantine has the form in which rows are kept that no table can have, because
// they lack their key columns: an object for each dump, read as a stream and written as a
// whole. It never decides which rows these are.
package quarantine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

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

// Write stores rows as an object of the state: compressed lines of JSON.
func Write(ctx context.Context, store exec.Objects, bad []Row) (*exec.Object, error) {
	o := store.Create(ctx)
	z, err := zstd.NewWriter(o)
	if err != nil {
		return nil, errors.Join(err, o.Abort())
	}
	enc := json.NewEncoder(z)
	enc.SetEscapeHTML(false)
	slices.SortFunc(bad, func(a, b Row) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row)) })
	for _, b := range bad {
		err = errors.Join(err, enc.Encode(b))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the quarantine: %w", err), o.Abort())
	}
	obj, err := o.Close(ctx)
	if err != nil {
		return nil, err
	}
	obj.Ref.Rows = int64(len(bad))
	return obj, nil
}

// Each reads what Write wrote.
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
