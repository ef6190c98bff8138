package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/internal/amount"
	"reconcile/internal/definition"
)

// What a delivery alone breaks holds the table that it brings, and nothing else.

// broughtIn reports whether mistakes are there only because of what was delivered:
// of a table that is new, or because of columns that the table does not have yet.
func broughtIn(p *Session, t *Table, diags hcl.Diagnostics) bool {
	if !config.BroughtIn(diags) {
		return false
	}
	if t.Old == nil {
		return true
	}
	_, without := p.Ask.Config.Table(t.Name, stateNames(t.Old))
	return !without.HasErrors()
}

// waits makes the plan of a table that such mistakes hold.
func (t *Table) waits(p *Session, diags hcl.Diagnostics) *Table {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			t.clash = d.Detail
		}
	}
	if t.Old == nil {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: t.clash})
		return nil
	}
	t.Definition, _ = p.Ask.Config.Table(t.Name, stateNames(t.Old))
	return t
}

// holdClashes holds new tables whose folders are, without case, those of others, as
// some file systems could not tell them apart. What is published stays; of new
// tables alone only one stays that has a block of its own. Published tables that
// clash do so by the configuration, which is a mistake of it.
func holdClashes(p *Session, tables []*Table) {
	byFolder := map[string][]*Table{}
	for _, t := range tables {
		if t.Definition != nil {
			f := strings.ToLower(t.Definition.Folder)
			byFolder[f] = append(byFolder[f], t)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(byFolder)) {
		group := byFolder[f]
		if len(group) == 1 {
			continue
		}
		stay := selectTables(group, func(t *Table) bool { return t.Old != nil })
		if len(stay) == 0 {
			if stay = selectTables(group, func(t *Table) bool { return t.Definition.Exact }); len(stay) > 1 {
				stay = nil
			}
		}
		var published []*definition.Table
		for _, t := range group {
			if !slices.Contains(stay, t) {
				t.clash = clashReason(t, group)
			} else {
				published = append(published, t.Definition)
			}
		}
		p.Diags = append(p.Diags, p.Ask.Config.CheckFolders(published)...)
	}
}

func selectTables(list []*Table, is func(*Table) bool) []*Table {
	var out []*Table
	for _, t := range list {
		if is(t) {
			out = append(out, t)
		}
	}
	return out
}

func clashReason(t *Table, group []*Table) string {
	const most = 3
	var others []string
	for _, o := range group {
		if o != t && len(others) < most {
			others = append(others, "table "+o.Name)
		}
	}
	if n := len(group) - 1 - len(others); n > 0 {
		others = append(others, amount.Number(n)+" more")
	}
	return fmt.Sprintf("its folder %s is, without case, that of %s, too: give it a block with its exact name and another folder, table %q { as = \"...\" }, or leave it out by ignore %q {}",
		t.Definition.Folder, strings.Join(others, " and of "), t.Name, t.Name)
}

// ifPublished is the plan of a held table, nil if the table is not there yet.
func (t *Table) ifPublished() *Table {
	if t.Old == nil {
		return nil
	}
	return t
}
