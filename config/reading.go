package config

import (
	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// timeUnit reads what plain numbers count.
func (l *loader) timeUnit(a *hcl.Attribute) *setting[column.TimeUnit] {
	s := l.oneOf(a, column.UnitNames()...)
	if s == nil {
		return nil
	}
	u, _ := column.ParseTimeUnit(s.value)
	return &setting[column.TimeUnit]{value: u, rng: s.rng}
}

// readAs diagnoses settings that say nothing of values of a type.
func (c *columnBlock) readAs(typ column.Type) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if c.mistyped {
		return nil
	}
	remedy := func(types string) string {
		if feed.IsExact(c.name) {
			return "Remove it."
		}
		return "Remove it, or set type = " + types + "."
	}
	if c.unit != nil && !definition.IsTime(typ) {
		diags = append(diags, errorAt(c.unit.rng, "Unit of a column without a time", "\"time_unit\" says what a number counts that is a point in time. The column %q has the type %s. %s",
			c.name, typ, remedy("\"timestamp\" or \"date\"")))
	}
	if c.round != nil && typ.ID != column.Decimal {
		diags = append(diags, errorAt(c.round.rng, "Rounding of a column that is no decimal", "\"round\" rounds to the scale of a decimal. The column %q has the type %s. %s",
			c.name, typ, remedy("\"decimal(12,2)\"")))
	}
	return diags
}
