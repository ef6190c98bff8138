package config

import (
	"github.com/hashicorp/hcl/v2"

	"reconcile/internal/column"
)

// HalfEven is how a decimal can be rounded: to its scale, halves to the even digit.
const HalfEven = "half_even"

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
		if protected(c.name) {
			return "Remove it."
		}
		return "Remove it, or set type = " + types + "."
	}
	if c.unit != nil && !timed(typ) {
		diags = append(diags, errorAt(c.unit.rng, "Unit of a column without a time", "\"time_unit\" says what a number counts that is a point in time. The column %q has the type %s. %s",
			c.name, typ, remedy("\"timestamp\" or \"date\"")))
	}
	if c.round != nil && typ.ID != column.Decimal {
		diags = append(diags, errorAt(c.round.rng, "Rounding of a column that is no decimal", "\"round\" rounds to the scale of a decimal. The column %q has the type %s. %s",
			c.name, typ, remedy("\"decimal(12,2)\"")))
	}
	return diags
}

// rule says how the values of a column of a type are read.
func (t *Table) rule(b columnBlock, delivered string, typ column.Type) column.Rule {
	r := column.Rule{Type: typ, Event: isTimestamp(delivered)}
	if timed(typ) {
		r.Unit = t.TimeUnit
	}
	if b.unit != nil && timed(typ) {
		r.Unit = b.unit.value
	}
	r.HalfEven = b.round != nil && typ.ID == column.Decimal
	return r
}

// timed reports whether values of a type are points in time.
func timed(t column.Type) bool { return t.ID == column.Timestamp || t.ID == column.Date }
