package rules

import (
	"strings"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

// ContentVersion numbers the rules by which delivered names, ids and times become
// content. It is raised when a version reads the same bytes as other rows. What
// older rules wrote stays until its table is rebuilt: dumps that come meanwhile
// are read by the rules of today.
const ContentVersion = 1

// UnitText is a unit as the state keeps it.
func UnitText(u column.TimeUnit) string {
	if u == column.UnitAuto {
		return ""
	}
	return u.String()
}

// RoundText is how a rule rounds, as the state keeps it.
func RoundText(r column.Rule) string {
	if r.HalfEven {
		return definition.HalfEven
	}
	return ""
}

// RuleText tells rules of a column apart.
func RuleText(r column.Rule) string {
	return strings.Join(strings.Fields(r.Type.String()+" "+UnitText(r.Unit)+" "+RoundText(r)), " ")
}
