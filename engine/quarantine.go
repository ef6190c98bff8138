package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"reconcile/engine/quarantine"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// reject describes the only row that d decoded: it lacks the column of target.
func (d *decoder) reject(p *filePlan, target int) quarantine.Row {
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
	return quarantine.Row{Reason: reason, Data: string(column.AppendRescue(nil, items))}
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
		var bad []quarantine.Row
		err := quarantine.Each(ctx, r.env.Objects, q, func(b quarantine.Row) error {
			var err error
			b.Data, err = maskData(b.Data, added)
			bad = append(bad, b)
			return err
		})
		if err != nil {
			return err
		}
		obj, err := quarantine.Write(ctx, r.env.Objects, bad)
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
