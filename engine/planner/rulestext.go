package planner

import (
	"strings"

	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// RuleText tells rules of a column apart.
func RuleText(r column.Rule) string {
	return strings.Join(strings.Fields(r.Type.String()+" "+rules.UnitText(r.Unit)+" "+rules.RoundText(r)), " ")
}
