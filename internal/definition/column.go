package definition

import (
	"cmp"

	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// Column returns the settings that take effect for a delivered column: those of
// its column blocks, and of all masks that apply the strongest (drop before null
// before hmac-sha256). Keys and timestamps are never masked.
func (t *Table) Column(delivered string) Column {
	b := t.settings(delivered)
	c := Column{As: t.Published(delivered), Type: NaturalType(delivered), Merge: b.Merge}
	if b.Type != nil {
		c.Type, c.Typed = *b.Type, true
	}
	c.Rule = t.rule(b, delivered, c.Type)
	if feed.IsExact(delivered) {
		return c
	}
	if b.Mask != nil {
		c.Mask, c.Verifier = b.Mask.Method, b.Mask.Verifier
	}
	for i := range t.Masks {
		if m := &t.Masks[i]; m.Method.strength() > c.Mask.strength() && m.TakesColumn(delivered, c.As) {
			c.Mask, c.Verifier = m.Method, m.Verifier
		}
	}
	return c
}

// settings is what the column blocks together say of a delivered column. No block
// weakens the mask of another.
func (t *Table) settings(delivered string) Block {
	var out Block
	if len(t.Blocks) == 0 {
		return out
	}
	for _, i := range t.BlocksOf(delivered) {
		b := &t.Blocks[i]
		out.As, out.Merge, out.Round = cmp.Or(out.As, b.As), cmp.Or(out.Merge, b.Merge), cmp.Or(out.Round, b.Round)
		out.Type, out.Mask, out.Unit = cmp.Or(out.Type, b.Type), cmp.Or(out.Mask, b.Mask), cmp.Or(out.Unit, b.Unit)
	}
	return out
}

// rule says how the values of a column of a type are read.
func (t *Table) rule(b Block, delivered string, typ column.Type) column.Rule {
	r := column.Rule{Type: typ, Event: feed.IsTimestamp(delivered)}
	if IsTime(typ) {
		r.Unit = t.TimeUnit
	}
	if b.Unit != nil && IsTime(typ) {
		r.Unit = *b.Unit
	}
	r.HalfEven = b.Round != "" && typ.ID == column.Decimal
	return r
}

// IsTime reports whether values of a type are points in time.
func IsTime(t column.Type) bool { return t.ID == column.Timestamp || t.ID == column.Date }

// NaturalType is the type that a delivered column has without a declared one.
func NaturalType(name string) column.Type {
	switch {
	case feed.IsID(name):
		return column.Type{ID: column.Int64}
	case feed.IsTimestamp(name):
		return column.Type{ID: column.Timestamp}
	}
	return column.Type{}
}
