package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// badRow is a row that lacks its key columns.
type badRow struct {
	Table  string `json:"table"`
	Dump   int64  `json:"dump"`
	File   string `json:"file"`
	Row    int64  `json:"row"`
	Reason string `json:"reason"`
	Data   string `json:"data"` // the row as JSON text, masks applied
}

// reject describes the only row that d decoded: it lacks the column of target.
func (d *decoder) reject(p *filePlan, target int) badRow {
	name := feed.UserID
	if target == rules.TargetKey {
		name = d.schema.Key
	}
	reason := name + " is missing"
	var items []column.Rescued
	for bi := range p.bindings {
		bd := &p.bindings[bi]
		for u := range bd.uses {
			c := &bd.uses[u].col
			if bd.direct {
				c = &d.cols[bd.target]
			}
			if c.IsNull(0) {
				continue
			}
			v := column.AppendText(nil, c, 0)
			items = append(items, column.Rescued{Name: bd.uses[u].name, Value: v})
			if bd.target == target {
				reason = fmt.Sprintf("%s is not an integer: %s", name, strconv.Quote(string(v)))
			}
		}
	}
	return badRow{Reason: reason, Data: string(column.AppendRescue(nil, items))}
}

// writeQuarantine stores rows as an object of the state: compressed lines of JSON.
func writeQuarantine(ctx context.Context, store exec.Objects, bad []badRow) (*exec.Object, error) {
	o := store.Create(ctx)
	z, err := zstd.NewWriter(o)
	if err != nil {
		return nil, errors.Join(err, o.Abort())
	}
	enc := json.NewEncoder(z)
	enc.SetEscapeHTML(false)
	slices.SortFunc(bad, func(a, b badRow) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row)) })
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

// eachQuarantined reads what writeQuarantine wrote.
func eachQuarantined(ctx context.Context, store exec.Objects, q exec.DumpRef, use func(badRow) error) (err error) {
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
		var b badRow
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

// remasking is a column whose quarantined values are not what they were: the key of
// a new HMAC, nil where the value goes, by a mask or because the table no longer
// takes the column.
type remasking struct {
	column rules.Column
	key    []byte
}

func (r *tableRun) remasked() []remasking {
	var out []remasking
	cfg := r.schema.Table
	for _, o := range r.old.Columns {
		name := rules.AskedName(cfg, !r.old.ExactNames, o.Delivered, o.Name)
		now := cfg.Column(name)
		o.Delivered = name
		switch {
		case !cfg.Takes(name), now.Mask == definition.MaskNull, now.Mask == definition.MaskDrop:
			if o.Mask == definition.MaskNone || o.Mask == definition.MaskHMAC {
				out = append(out, remasking{column: o})
			}
		case o.Mask == definition.MaskNone && now.Mask == definition.MaskHMAC:
			out = append(out, remasking{o, r.env.Key(now.Verifier)})
		}
	}
	return out
}

// remask stores the quarantined rows of a table again under the masks and the
// columns that it has now.
func (r *tableRun) remask(ctx context.Context, c *outcome) error {
	added := r.remasked()
	if len(added) == 0 {
		return nil
	}
	for i, q := range c.Quarantine {
		var bad []badRow
		err := eachQuarantined(ctx, r.env.Objects, q, func(b badRow) error {
			var err error
			b.Data, err = maskData(b.Data, added)
			bad = append(bad, b)
			return err
		})
		if err != nil {
			return err
		}
		obj, err := writeQuarantine(ctx, r.env.Objects, bad)
		if err != nil {
			return err
		}
		c.Quarantine[i].Ref = obj.Ref
		c.Objects = append(c.Objects, obj)
	}
	return nil
}

// maskData masks columns in the JSON text of a row. A field that may be of one of
// them is masked.
func maskData(data string, masks []remasking) (string, error) {
	items, err := column.SplitRescue([]byte(data))
	if err != nil {
		return "", fmt.Errorf("quarantined row: %w", err)
	}
	keep := items[:0]
	for _, it := range items {
		i := slices.IndexFunc(masks, func(m remasking) bool { return m.column.MayFeed(it.Name) })
		switch {
		case i < 0:
		case masks[i].key == nil:
			continue
		default:
			it.Value = column.MaskHMAC(masks[i].key).AppendHex(nil, it.Value)
		}
		keep = append(keep, it)
	}
	return string(column.AppendRescue(nil, keep)), nil
}
