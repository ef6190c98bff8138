package tablekeys

import (
	"context"
	"io"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/engine/planner"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
)

// EachDelivered implements planner.KeyReader.
func (r Reader) EachDelivered(ctx context.Context, key string, id int64, file string, use func(raw, key int64) error) error {
	s := &decode.Schema{Schema: *rules.DeliveredKeys(key)}
	d := &delivered{schema: s, dec: decode.NewDecoder(s), limits: partfile.Limits(r.Budget), use: use}
	err := d.read(ctx, r.Source, file)
	if d.failed != nil || err == nil {
		return d.failed
	}
	err = &partfile.FileError{Dump: id, Key: file, Err: err}
	if bad := partfile.Holding(err); bad != nil {
		return &planner.BadFileError{File: bad.Key, Err: bad.Err}
	}
	return err
}

// delivered reads the keys of one part file.
type delivered struct {
	schema *decode.Schema
	dec    *decode.Decoder
	limits avro.Limits
	use    func(raw, key int64) error
	failed error // by use: it says nothing of the file
}

func (d *delivered) read(ctx context.Context, src exec.Source, key string) error {
	h, err := src.Open(ctx, key)
	if err != nil {
		return err
	}
	defer h.Close()
	size := h.Object().Size
	sc, err := partfile.NewScanner(io.NewSectionReader(h, 0, size), size, d.limits) // perhaps its first rows are enough
	if err != nil {
		return err
	}
	fields := partfile.FieldNames(sc.Header())
	plan := decode.NewPlan(sc.Header(), &rules.FileNames{Fields: fields}, d.limits, d.schema)
	return partfile.EachBlock(ctx, sc, func(blk *avro.Block) error {
		if plan.Lacks != "" && blk.Count > 0 {
			return partfile.NewKeyError(plan.Lacks, fields)
		}
		return d.dec.EachSlice(plan, blk, d.hand)
	})
}

// hand hands on n rows of a block, those that have their keys.
func (d *delivered) hand(n int) error {
	for i := range n {
		if _, ok := d.dec.Missing(i); !ok {
			continue
		}
		key := int64(0)
		if d.schema.Kind != feed.KindUsers {
			key = d.dec.RowKey(i)
		}
		if d.failed = d.use(d.dec.User(i), key); d.failed != nil {
			return d.failed
		}
	}
	return nil
}
