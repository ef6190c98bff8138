package rules

import (
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
