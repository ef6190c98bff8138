package engine

import (
	"fmt"
	"slices"
)

// noteVain says in a plan what names something that is not there: most likely it
// is misspelt.
func (e *Engine) noteVain(p *Plan) {
	note := func(format string, args ...any) { p.Notices = append(p.Notices, fmt.Sprintf(format, args...)) }
	for _, s := range e.cfg.Skips {
		d := p.listing.Dump(s.Dump)
		for _, table := range s.Tables {
			if d != nil && table != "*" && d.Entry(table) == nil {
				note("skip_dump %q names the table %q, which that dump does not list", fmt.Sprint(s.Dump), table)
			}
		}
	}
	for _, id := range e.opts.AcceptManifest {
		if !slices.Contains(p.Accepted, id) {
			note("-accept-manifest=%d has no effect: no manifest of that dump has changed since it was applied", id)
		}
	}
	for _, name := range e.opts.AcceptLoss {
		if name != tableMapping && !slices.ContainsFunc(p.Tables, func(t *TablePlan) bool { return t.Name == name }) {
			note("-accept-loss=%s has no effect: there is no such table", name)
		}
	}
}
