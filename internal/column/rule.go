package column

import "slices"

// TimeUnit says what a plain number counts that stands for a point in time.
type TimeUnit uint8

// The units. UnitAuto goes by the number's magnitude.
const (
	UnitAuto TimeUnit = iota
	UnitSeconds
	UnitMillis
	UnitMicros
	UnitNanos
)

var unitNames = []string{UnitAuto: "auto", UnitSeconds: "s", UnitMillis: "ms", UnitMicros: "us", UnitNanos: "ns"}

// String returns the unit as the configuration language writes it.
func (u TimeUnit) String() string { return unitNames[u] }

// UnitNames lists the units of the configuration language.
func UnitNames() []string { return slices.Clone(unitNames) }

// ParseTimeUnit is the reverse of String.
func ParseTimeUnit(s string) (TimeUnit, bool) {
	i := slices.Index(unitNames, s)
	return TimeUnit(max(i, 0)), i >= 0
}

// Rule is a type, and what it leaves open of how values become values of it. The
// zero value is that of String.
type Rule struct {
	Type Type
	Unit TimeUnit // of Timestamp and Date
	// Event narrows a Timestamp to the years 1970 to 9999, as the vendor's own
	// timestamps have them; any other one and a Date take the years 1 to 9999.
	Event bool
	// HalfEven rounds what a Decimal does not hold exactly to its scale, halves to
	// the even digit.
	HalfEven bool
}

// CastResult says what a cast did to values besides taking them over.
type CastResult struct {
	Fails   []Fail
	Rounded int64 // values that were rounded
}

// Cast appends the values of src to dst as values of the rule's type and reports
// those that did not survive. A cast depends on the text of a value only, whatever
// form src has it in: it is done once per dictionary entry where entries repeat,
// and natively where that gives the same.
//
// dst becomes a column of the type; rows that it has already must be of that
// type. Nulls stay null. Blanks around the values of typed columns are
// ignored, empty text there is null and no failure. dst shares no memory with
// src.
func (r Rule) Cast(src, dst *Column) CastResult {
	dst.Type = r.Type
	switch r.Type.Kind() {
	case KindInt64:
		out := fixed[int64]{vals: dst.Ints, null: dst.Null}
		fails := castFixed(src, &out, r.ints(src.Type))
		dst.Ints, dst.Null = out.vals, out.null
		return CastResult{fails, out.rounded}
	case KindDouble:
		out := fixed[float64]{vals: dst.Floats, null: dst.Null}
		fails := castFixed(src, &out, doubleRules(src.Type))
		dst.Floats, dst.Null = out.vals, out.null
		return CastResult{Fails: fails}
	}
	if dst.Dict == nil {
		dst.Dict = NewDict()
	}
	return r.castBytes(src, dst)
}

// Cast is Rule.Cast for a type that leaves nothing open.
func Cast(src *Column, t Type, dst *Column) []Fail { return Rule{Type: t}.Cast(src, dst).Fails }
