package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"reconcile/internal/column"
	"reconcile/state"
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

// quarantine records row i of the current block.
func (b *builder) quarantine(p *filePlan, i int, first int64, target int) {
	name := colUserID
	if target == targetKey {
		name = b.schema.key
	}
	reason := name + " is missing"
	var items []column.Rescued
	for bi := range p.bindings {
		bd := &p.bindings[bi]
		for u := range bd.uses {
			c, at := &bd.uses[u].col, i
			if bd.direct {
				c, at = &b.cols[bd.target], b.n+i
			}
			if c.IsNull(at) {
				continue
			}
			v := column.AppendText(nil, c, at)
			items = append(items, column.Rescued{Name: bd.uses[u].name, Value: v})
			if bd.target == target {
				reason = fmt.Sprintf("%s is not an integer: %s", name, strconv.Quote(string(v)))
			}
		}
	}
	b.bad = append(b.bad, badRow{Dump: p.file.dump, File: p.file.key, Row: first + int64(i), Reason: reason,
		Data: string(column.AppendRescue(nil, items))})
}

// writeQuarantine stores rows as an object of the state: compressed lines of JSON.
func writeQuarantine(ctx context.Context, store *state.Store, bad []badRow) (*state.Sealed, error) {
	o := store.NewObject()
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
