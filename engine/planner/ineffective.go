package planner

import (
	"fmt"
	"slices"

	"reconcile/internal/feed"
)

// noteIneffective says in a plan which options have no effect: most likely they are
// misspelt. The names in the configuration are for checkNames.
func noteIneffective(p *Session) {
	note := func(format string, args ...any) { p.Notices = append(p.Notices, fmt.Sprintf(format, args...)) }
	for _, id := range p.Ask.AcceptManifest {
		if !slices.Contains(p.Accepted, id) {
			note("-accept-manifest=%d has no effect: no manifest of that dump has changed since it was applied", id)
		}
	}
	for _, name := range p.Ask.Accept {
		if !slices.Contains(p.AcceptedNow, name) {
			note("-accept=%s has no effect: no guard and no check holds that", name)
		}
	}
	if p.Ask.Repair && !slices.ContainsFunc(p.Drafts, func(t *Table) bool { return t.Repair != "" || t.rewrite != "" }) && p.NewMapping == nil && len(p.Holds) == 0 {
		note("-repair has no effect: no table is held for it")
	}
	for _, name := range p.Ask.SinksLost {
		root := p.Declared.RootOf(name)
		switch {
		case p.Lake.Lost(root):
		case !p.Declared.Has(root):
			note("-sink-lost=%s has no effect: the configuration has no sink at %s", name, root)
		default:
			note("-sink-lost=%s has no effect: the sink is there, or the state lists nothing in it", name)
		}
	}
	for _, name := range p.Ask.AcceptLoss {
		if name != feed.TableMapping && !slices.ContainsFunc(p.Drafts, func(t *Table) bool { return t.Name == name }) {
			note("-accept-loss=%s has no effect: there is no such table%s", name, meant("-accept-loss", name, p.Drafts))
		}
	}
}
