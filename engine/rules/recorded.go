package rules

import (
	"strings"

	"reconcile/internal/column"
	"reconcile/internal/definition"
)

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
