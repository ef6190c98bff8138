package planner

import (
	"fmt"
	"strings"

	"reconcile/engine/plan"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/state"
)

// outdatedBy says of a table that older rules wrote it; empty if they did not.
func outdatedBy(old *state.Table) string {
	if old == nil || old.Kind == feed.KindMapping || old.Rules >= rules.ContentVersion {
		return ""
	}
	return "an earlier version wrote it by its own rules for names, ids and times"
}

// noteOlderRules names the tables that older rules wrote, in one line.
func (p *Session) noteOlderRules() {
	var older []string
	for _, t := range p.Drafts {
		if t.outdated != "" && (t.Action == plan.None || t.Action == plan.Update) && t.Change.Class < plan.ClassRebuild {
			older = append(older, t.Name)
		}
	}
	if p.Standing != nil && p.Standing.Rules < rules.ContentVersion {
		older = append(older, feed.TableMapping)
	}
	if len(older) == 0 {
		return
	}
	p.Notices = append(p.Notices, fmt.Sprintf("an earlier version wrote rows of %s by its own rules for names, ids and times; they stay as they are until `reconcile apply %s` writes a table anew from the source",
		strings.Join(older, ", "), repairFlags(older[0])))
}
