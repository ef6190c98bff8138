package column

import (
	"bytes"
	"cmp"
	"math"
)

// CompareValues orders row i of a and row j of b, neither of which is null, and
// returns -1, 0 or +1. Columns of one type compare by that type: text and JSON
// bytewise, false before true, NaN above every other double and equal to
// itself, the two zeros equal. Columns of different types compare by their
// text.
func CompareValues(a *Column, i int, b *Column, j int) int {
	if a.Type != b.Type {
		return bytes.Compare(AppendText(nil, a, i), AppendText(nil, b, j))
	}
	switch a.Type.Kind() {
	case KindInt64:
		return cmp.Compare(a.Ints[i], b.Ints[j])
	case KindDouble:
		return compareDoubles(a.Floats[i], b.Floats[j])
	}
	x, y := a.Bytes(i), b.Bytes(j)
	if a.Type.ID == Decimal && len(x) > 0 && len(y) > 0 && (x[0]^y[0])&0x80 != 0 {
		// Two's complement orders bytewise but for the sign.
		return cmp.Compare(y[0], x[0])
	}
	return bytes.Compare(x, y)
}

func compareDoubles(x, y float64) int {
	switch xn, yn := math.IsNaN(x), math.IsNaN(y); {
	case xn && yn:
		return 0
	case xn:
		return 1
	case yn:
		return -1
	}
	return cmp.Compare(x, y)
}
