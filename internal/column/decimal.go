package column

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"strconv"
)

// scanDecimal returns the unscaled value of a decimal, exactly. Digits beyond
// the type's precision, or behind its scale and not zero, are not ok.
func scanDecimal(b []byte, t Type) (abs uint128, neg, ok bool) {
	n, ok := scanNumber(trim(b))
	if !ok {
		return uint128{}, false, false
	}
	first, ints := n.leading()
	if first == n.len() {
		return uint128{}, false, true
	}
	count := ints + t.Scale
	if count < 1 || count > t.Precision {
		return uint128{}, false, false
	}
	for i := first + count; i < n.len(); i++ {
		if n.digit(i) != 0 {
			return uint128{}, false, false
		}
	}
	return n.take(first, count), n.neg, true
}

// smallDecimal returns the unscaled value of a decimal of at most 18 digits.
func smallDecimal(b []byte, t Type) (int64, outcome) {
	u, neg, ok := scanDecimal(b, t)
	if !ok {
		return 0, orEmpty(b)
	}
	if neg {
		return -int64(u.lo), castOK
	}
	return int64(u.lo), castOK
}

// appendBigDecimal appends the unscaled value of a decimal as 16 bytes,
// big-endian two's complement.
func appendBigDecimal(dst, b []byte, t Type) ([]byte, outcome) {
	u, neg, ok := scanDecimal(b, t)
	if !ok {
		return dst, orEmpty(b)
	}
	if neg {
		u = u.negate()
	}
	dst = binary.BigEndian.AppendUint64(dst, u.hi)
	return binary.BigEndian.AppendUint64(dst, u.lo), castOK
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

// AppendDecimalInt is AppendDecimal for an unscaled value in an int64.
func AppendDecimalInt(dst []byte, unscaled int64, scale int) []byte {
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
