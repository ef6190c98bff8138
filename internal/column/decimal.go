package column

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
)

// scanDecimal returns the unscaled value of a decimal: exactly, or rounded if the
// rule says so. Digits beyond the type's precision fail, and so do those behind its
// scale that are not zero and not to be rounded.
func (r Rule) scanDecimal(b []byte) (abs uint128, neg bool, o outcome) {
	n, ok := scanNumber(trim(b))
	if !ok {
		return uint128{}, false, orEmpty(b)
	}
	first, ints := n.leading()
	if first == n.len() {
		return uint128{}, false, castOK
	}
	count := ints + r.Type.Scale // of the digits that stay
	if count > r.Type.Precision {
		return uint128{}, false, castFail
	}
	abs = n.take(first, max(count, 0))
	switch up, exact := n.roundsUp(first+count, count < 0, abs.lo&1 == 1); {
	case exact:
		return abs, n.neg, castOK
	case !r.HalfEven:
		return uint128{}, false, castFail
	case up:
		if abs = abs.increment(); abs == pow10wide(r.Type.Precision) {
			return uint128{}, false, castFail
		}
	}
	return abs, n.neg, castRounded
}

// roundsUp says what becomes of the digits from index at on, below half whatever
// they are if small says so: whether they are rounded up, halves so that the last
// digit kept is even, or all zero.
func (n *number) roundsUp(at int, small, odd bool) (up, exact bool) {
	if small {
		return false, false
	}
	head, rest := n.digit(at), n.more(at+1)
	return head > 5 || head == 5 && (rest || odd), head == 0 && !rest
}

// smallDecimal returns the unscaled value of a decimal of at most 18 digits.
func (r Rule) smallDecimal(b []byte) (int64, outcome) {
	u, neg, o := r.scanDecimal(b)
	if neg {
		return -int64(u.lo), o
	}
	return int64(u.lo), o
}

// appendBigDecimal appends the unscaled value of a decimal as 16 bytes,
// big-endian two's complement.
func (r Rule) appendBigDecimal(dst, b []byte) ([]byte, outcome) {
	u, neg, o := r.scanDecimal(b)
	if neg {
		u = u.negate()
	}
	dst = binary.BigEndian.AppendUint64(dst, u.hi)
	return binary.BigEndian.AppendUint64(dst, u.lo), o
}

// scaleInt returns v as the unscaled value of a decimal of at most 18 digits.
func scaleInt(v int64, t Type) (int64, outcome) {
	limit := pow10(t.Precision - t.Scale)
	if v <= -limit || v >= limit {
		return 0, castFail
	}
	return v * pow10(t.Scale), castOK
}

// pow10 returns a power of ten up to 1e18.
func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// pow10wide is pow10 up to 1e38.
func pow10wide(n int) uint128 {
	p := uint128{lo: 1}
	for range n {
		p = p.shift(0)
	}
	return p
}

// AppendDecimal appends the digits of a decimal whose unscaled value is in
// big-endian two's complement of any length (none is zero), with exactly scale
// digits behind the point.
func AppendDecimal(dst, unscaled []byte, scale int) []byte {
	neg := len(unscaled) > 0 && unscaled[0] >= 0x80
	var digits [40]byte
	if len(unscaled) > 16 {
		v := new(big.Int).SetBytes(unscaled)
		if neg {
			v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(unscaled))))
		}
		return appendScaled(dst, v.Abs(v).Append(nil, 10), neg, scale)
	}
	var u uint128
	if neg {
		u = uint128{^uint64(0), ^uint64(0)}
	}
	for _, c := range unscaled {
		u = uint128{u.hi<<8 | u.lo>>56, u.lo<<8 | uint64(c)}
	}
	if neg {
		u = u.negate()
	}
	return appendScaled(dst, u.appendDigits(digits[:0]), neg, scale)
}

// appendDecimalInt is AppendDecimal for an unscaled value in an int64.
func appendDecimalInt(dst []byte, unscaled int64, scale int) []byte {
	var digits [20]byte
	abs := uint64(unscaled)
	if unscaled < 0 {
		abs = -abs
	}
	return appendScaled(dst, strconv.AppendUint(digits[:0], abs, 10), unscaled < 0, scale)
}

// appendDigits appends u, which is below 1e38 or at most 1<<127, in decimal.
func (u uint128) appendDigits(dst []byte) []byte {
	const chunk = 1e19
	q, r := bits.Div64(u.hi, u.lo, chunk)
	if q == 0 {
		return strconv.AppendUint(dst, r, 10)
	}
	dst = strconv.AppendUint(dst, q, 10)
	for p := uint64(chunk / 10); p > 0; p /= 10 {
		dst = append(dst, '0'+byte(r/p%10))
	}
	return dst
}

// appendScaled appends digits with a point before the last scale of them.
func appendScaled(dst, digits []byte, neg bool, scale int) []byte {
	if neg {
		dst = append(dst, '-')
	}
	ints := len(digits) - scale
	if scale <= 0 {
		dst = append(dst, digits...)
		for range -scale {
			dst = append(dst, '0')
		}
		return dst
	}
	if ints <= 0 {
		dst = append(dst, '0', '.')
		for range -ints {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(append(dst, digits[:ints]...), '.')
	return append(dst, digits[ints:]...)
}
