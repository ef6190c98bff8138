package decode

import (
	"fmt"
	"strconv"

	"reconcile/engine/quarantine"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// Reject describes a row that d decoded: it lacks the column of target.
func (d *Decoder) Reject(p *Plan, row, target int) quarantine.Row {
	name := feed.UserID
	if target == rules.TargetKey {
		name = d.schema.Key
	}
	reason := name + " is missing"
	var items []column.Rescued
	d.EachText(p, row, func(of int, item column.Rescued) {
		items = append(items, item)
		if of == target {
			reason = fmt.Sprintf("%s is not an integer: %s", name, strconv.Quote(string(item.Value)))
		}
	})
	return quarantine.Row{Reason: reason, Data: string(column.AppendRescue(nil, items))}
}

// EachText calls visit with the delivered values of a decoded row, as texts, each with
// the target that it feeds.
func (d *Decoder) EachText(p *Plan, row int, visit func(target int, item column.Rescued)) {
	for bi := range p.bindings {
		bd := &p.bindings[bi]
		for u := range bd.uses {
			c := &bd.uses[u].col
			if bd.direct {
				c = &d.Cols[bd.target]
			}
			if !c.IsNull(row) {
				visit(bd.target, column.Rescued{Name: bd.uses[u].name, Value: column.AppendText(nil, c, row)})
			}
		}
	}
}
