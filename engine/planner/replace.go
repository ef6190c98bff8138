package planner

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/engine/plan"
)

// A table is replaced because it is asked for: it is rebuilt from the source although
// nothing of it has changed. Nothing tells afterwards that it was; where a saved plan asks,
// the last commit of the table does, which names that plan.

// Replaces reports whether a table is to be rebuilt although nothing has changed.
func (q *Request) Replaces(name string) bool { return slices.Contains(q.Replace, "table."+name) }

// replaces reports whether that is still to be done of a table.
func replaces(p *Session, t *Table) bool {
	return p.Ask.Replaces(t.Name) && (t.Old.Plan == "" || t.Old.Plan != p.Ask.ReplacedBy[t.Name])
}

// diffAsked adds that a table is to be rebuilt because it is asked for.
func diffAsked(p *Session, t *Table, d *plan.ConfigDiff) {
	if t.replaced = replaces(p, t); t.replaced {
		d.Add(plan.ClassRebuild, "-replace asks for it")
	}
}

// checkReplacements refuses a -replace that names no table, or one that is left out.
func checkReplacements(p *Session) error {
	for _, address := range p.Ask.Replace {
		name := strings.TrimPrefix(address, "table.")
		i := slices.IndexFunc(p.Drafts, func(t *Table) bool { return "table."+t.Name == address })
		switch {
		case i < 0 && slices.ContainsFunc(p.Holds, func(h plan.Hold) bool { return "table."+h.Table == address }):
		case i < 0:
			return fmt.Errorf("-replace=%s: no such table; it is written table.NAME with the name of a real table%s", address, meant("-replace", address, p.Drafts))
		case !p.Ask.Targeted(name):
			return fmt.Errorf("-replace=%s: -target leaves this table out; name it there, too", address)
		case p.Drafts[i].Definition == nil:
			return fmt.Errorf("-replace=%s: no block takes this table any more, so there is nothing to rebuild it by", address)
		}
	}
	return nil
}
