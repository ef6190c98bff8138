package health

import (
	"slices"

	"reconcile/engine/plan"
	"reconcile/internal/definition"
)

// findChecks takes the limits of checks of freshness, and notes which checks have judged
// nothing yet. The tables of a glob are those that the configuration takes; one that a check
// names is looked at although it was never delivered.
func (j *judge) findChecks() {
	names := j.in.Ask.Config.CheckedTables()
	for i := range j.Tables {
		if t := j.Tables[i].Name; !slices.Contains(names, t) {
			names = append(names, t)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		taken := slices.ContainsFunc(j.Tables, func(t Table) bool { return t.Name == name })
		for _, c := range j.in.Ask.Config.ChecksOf(name) {
			switch {
			case c.Kind == definition.Freshness:
				j.in.Limits = append(j.in.Limits, Limit{Check: c.Name, Table: name, MaxAge: c.MaxAge})
			case taken && !j.in.Snap.JudgedBy(j.in.Snap.Tables[name], name, c.Name, c.Text()):
				j.Unjudged = append(j.Unjudged, plan.Unjudged{Check: c.Name, Table: name})
			}
		}
	}
}
