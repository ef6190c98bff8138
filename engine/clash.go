package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"reconcile/config"
	"reconcile/engine/plan"
	"reconcile/internal/definition"
)

// What a delivery alone breaks holds the table that it brings, and nothing else.

// broughtIn reports whether mistakes are there only because of what was delivered:
// of a table that is new, or because of columns that the table does not have yet.
func broughtIn(p *Plan, t *TablePlan, diags hcl.Diagnostics) bool {
	if !config.BroughtIn(diags) {
		return false
	}
	if t.old == nil {
		return true
	}
	_, without := p.ask.Config.Table(t.Name, stateNames(t.old))
	return !without.HasErrors()
}

// waits makes the plan of a table that such mistakes hold.
func (t *TablePlan) waits(p *Plan, diags hcl.Diagnostics) *TablePlan {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			t.clash = d.Detail
		}
	}
	if t.old == nil {
		p.Holds = append(p.Holds, plan.Hold{Table: t.Name, Reason: t.clash})
		return nil
	}
	t.cfg, _ = p.ask.Config.Table(t.Name, stateNames(t.old))
	return t
}

// holdClashes holds new tables whose folders are, without case, those of others, as
// some file systems could not tell them apart. What is published stays; of new
// tables alone only one stays that has a block of its own. Published tables that
// clash do so by the configuration, which is a mistake of it.
func holdClashes(p *Plan, tables []*TablePlan) {
	byFolder := map[string][]*TablePlan{}
	for _, t := range tables {
		if t.cfg != nil {
			f := strings.ToLower(t.cfg.Folder)
			byFolder[f] = append(byFolder[f], t)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(byFolder)) {
		group := byFolder[f]
		if len(group) == 1 {
			continue
		}
		stay := selectTables(group, func(t *TablePlan) bool { return t.old != nil })
		if len(stay) == 0 {
			if stay = selectTables(group, func(t *TablePlan) bool { return t.cfg.Exact }); len(stay) > 1 {
				stay = nil
			}
		}
		var published []*definition.Table
		for _, t := range group {
			if !slices.Contains(stay, t) {
				t.clash = clashReason(t, group)
			} else {
				published = append(published, t.cfg)
			}
		}
		p.diags = append(p.diags, p.ask.Config.CheckFolders(published)...)
	}
}

func selectTables(list []*TablePlan, is func(*TablePlan) bool) []*TablePlan {
	var out []*TablePlan
	for _, t := range list {
		if is(t) {
			out = append(out, t)
		}
	}
	return out
}

func clashReason(t *TablePlan, group []*TablePlan) string {
	var others []string
	for _, o := range group {
		if o != t {
			others = append(others, o.Name)
		}
	}
	return fmt.Sprintf("its folder %s is, without case, that of table %s, too: give it a block with its exact name and another folder, table %q { as = \"...\" }, or leave it out by ignore %q {}",
		t.cfg.Folder, strings.Join(others, " and of table "), t.Name, t.Name)
}

// ifPublished is the plan of a held table, nil if the table is not there yet.
func (t *TablePlan) ifPublished() *TablePlan {
	if t.old == nil {
		return nil
	}
	return t
}
