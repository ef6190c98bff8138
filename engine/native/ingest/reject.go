package ingest

import (
	"fmt"
	"strconv"

	"reconcile/engine/quarantine"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// reject describes the only row that d decoded: it lacks the column of target.
func (d *Decoder) reject(p *filePlan, target int) quarantine.Row {
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
				c = &d.Cols[bd.target]
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
