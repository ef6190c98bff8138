package column

import (
	"bytes"
	"math/bits"
)

// trim removes surrounding white space, as typed columns ignore it.
func trim(b []byte) []byte {
	if n := len(b); n > 0 && b[0]-'!' < 0x5e && b[n-1]-'!' < 0x5e {
		return b
	}
	return bytes.TrimSpace(b)
}

// parseInt reads decimal digits with an optional minus sign, white space around
// them ignored. Anything else, and what int64 does not hold, is not ok.
func parseInt(b []byte) (v int64, ok bool) {
	b = trim(b)
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for len(b) > 19 && b[0] == '0' {
		b = b[1:]
	}
	if len(b) > 19 {
		return 0, false
	}
	// 19 digits fit in 64 bits without a sign, so that one check at the end
	// is enough.
	var u uint64
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		u = u*10 + uint64(d)
	}
	if neg {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u < 1<<63
}

// number is the text of a decimal number taken apart, without rounding. Its
// value is the digits of whole and frac with the point between the two moved
// exp places to the right.
type number struct {
	neg         bool
	whole, frac []byte
	exp         int
}

// maxExp is where exponents saturate: far beyond any type, far from overflow.
const maxExp = 1 << 30

// scanNumber takes a number apart: sign, digits with an optional point among
// or around them, exponent. The whole of b must be the number.
func scanNumber(b []byte) (n number, ok bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		n.neg = b[0] == '-'
		b = b[1:]
	}
	n.whole, b = leadingDigits(b)
	if len(b) > 0 && b[0] == '.' {
		n.frac, b = leadingDigits(b[1:])
	}
	if n.len() == 0 {
		return n, false
	}
	if len(b) == 0 {
		return n, true
	}
	n.exp, ok = scanExponent(b)
	return n, ok
}

// scanExponent reads an exponent such as "e+21".
func scanExponent(b []byte) (exp int, ok bool) {
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b = b[1:]
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	digits, rest := leadingDigits(b)
	if len(digits) == 0 || len(rest) > 0 {
		return 0, false
	}
	for _, c := range digits {
		exp = min(exp*10+int(c-'0'), maxExp)
	}
	if neg {
		exp = -exp
	}
	return exp, true
}

// leadingDigits cuts b after its leading decimal digits.
func leadingDigits(b []byte) (digits, rest []byte) {
	i := 0
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return b[:i], b[i:]
}

func (n *number) len() int { return len(n.whole) + len(n.frac) }

// digit returns digit i of the number, zero beyond the last.
func (n *number) digit(i int) byte {
	if i < len(n.whole) {
		return n.whole[i] - '0'
	}
	if i -= len(n.whole); i < len(n.frac) {
		return n.frac[i] - '0'
	}
	return 0
}

// more reports whether there is a digit that is not zero from index at on.
func (n *number) more(at int) bool {
	for i := at; i < n.len(); i++ {
		if n.digit(i) != 0 {
			return true
		}
	}
	return false
}

// leading returns the index of the first digit that is not zero (n.len() when
// there is none) and the count of digits from there to the point: 0 or less
// when the number is below 1.
func (n *number) leading() (first, ints int) {
	for first < n.len() && n.digit(first) == 0 {
		first++
	}
	return first, len(n.whole) + n.exp - first
}

// uint128 holds the unscaled value of a decimal of up to 38 digits.
type uint128 struct{ hi, lo uint64 }

// take returns count digits from index first on as one integer. At most 38
// digits fit.
func (n *number) take(first, count int) uint128 {
	var u uint128
	for i := first; i < first+count; i++ {
		u = u.shift(n.digit(i))
	}
	return u
}

// shift returns 10u + d.
func (u uint128) shift(d byte) uint128 {
	hi, lo := bits.Mul64(u.lo, 10)
	lo, carry := bits.Add64(lo, uint64(d), 0)
	return uint128{u.hi*10 + hi + carry, lo}
}

// increment returns u + 1.
func (u uint128) increment() uint128 {
	lo, carry := bits.Add64(u.lo, 1, 0)
	return uint128{u.hi + carry, lo}
}

// negate returns the two's complement of u.
func (u uint128) negate() uint128 {
	lo, borrow := bits.Sub64(0, u.lo, 0)
	hi, _ := bits.Sub64(0, u.hi, borrow)
	return uint128{hi, lo}
}
