package avro

import "slices"

// Origin says of a value what its text does not tell.
type Origin uint8

const (
	// Plain is a value that is all that its text says: text of any kind, a whole
	// number, a decimal.
	Plain Origin = iota
	// NoID is a value that is no id even if its text looks like one: a float, a
	// double, a point in time or a part of one.
	NoID
	// Zero is a raw 0 of a logical type that counts time. It is no id either.
	Zero
)

// telling reports whether values of a type have another Origin than Plain.
func (n *node) telling() bool {
	switch n.kind {
	case kindFloat, kindDouble:
		return true
	case kindInt, kindLong:
		return n.logical != noLogical
	case kindUnion:
		return slices.ContainsFunc(n.branches, (*node).telling)
	}
	return false
}

// origin is that of a value of the type, which is no union, by its text: those of a
// raw 0 are nobody else's.
func (n *node) origin(text []byte) Origin {
	if !n.telling() {
		return Plain
	}
	if n.kind == kindFloat || n.kind == kindDouble {
		return NoID
	}
	zero := "1970-01-01T00:00:00Z"
	switch n.logical {
	case logicalDate:
		zero = "1970-01-01"
	case logicalTimeMillis, logicalTimeMicros:
		zero = "00:00:00.000"
	}
	if string(text) == zero {
		return Zero
	}
	return NoID
}

// Watch has the decoder fill to, from now on, with the origins of the values of a
// field, a row of the latest call each, as far as they are decoded as texts; those
// of rows without a value are Plain.
func (d *Decoder) Watch(field int, to *[]Origin) {
	if d.watched == nil {
		d.watched = make([]*[]Origin, len(d.ops))
	}
	d.watched[field] = to
}
