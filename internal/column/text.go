package column

import (
	"math"
	"strconv"
)

// AppendText appends the canonical text of row i of c, which is not null: text
// and JSON as they are, the rest as the Append functions of its type write it.
func AppendText(dst []byte, c *Column, i int) []byte {
	switch c.Type.ID {
	case Int64:
		return strconv.AppendInt(dst, c.Ints[i], 10)
	case Double:
		return AppendDouble(dst, c.Floats[i])
	case Boolean:
		return AppendBool(dst, c.Ints[i] != 0)
	case Timestamp:
		sec := floorDiv(c.Ints[i], 1000)
		return AppendTimestampText(dst, sec, (c.Ints[i]-sec*1000)*1_000_000)
	case Date:
		return AppendDateText(dst, c.Ints[i])
	case Decimal:
		if c.Type.Kind() == KindInt64 {
			return appendDecimalInt(dst, c.Ints[i], c.Type.Scale)
		}
		return AppendDecimal(dst, c.Bytes(i), c.Type.Scale)
	}
	return append(dst, c.Bytes(i)...)
}

// AppendDouble appends f as ECMAScript's Number::toString does: the shortest
// digits that read back the same, for example 1, 0.1, 1e+21, 1e-7, NaN,
// -Infinity; both zeros are 0.
func AppendDouble(dst []byte, f float64) []byte {
	if v, ok := exactInt(f); ok {
		return strconv.AppendInt(dst, v, 10)
	}
	abs := math.Abs(f)
	return appendFloat(dst, f, 64, abs < 1e-6 || abs >= 1e21)
}

// AppendFloat32 is AppendDouble with the shortest digits that give the same 32
// bits.
func AppendFloat32(dst []byte, f float32) []byte {
	abs := float32(math.Abs(float64(f)))
	return appendFloat(dst, float64(f), 32, abs < 1e-6 || abs >= 1e21)
}

func appendFloat(dst []byte, f float64, bits int, exponent bool) []byte {
	switch {
	case f == 0:
		return append(dst, '0')
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case !exponent:
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	// Go pads exponents to two digits, ECMAScript does not.
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// AppendBool appends true or false.
func AppendBool(dst []byte, v bool) []byte { return strconv.AppendBool(dst, v) }

// AppendTimestampText appends a point in time, given as seconds and
// nanoseconds since the epoch, in UTC: 2026-01-05T10:00:00.123Z. The fraction
// is left out when it is zero and has 3, 6 or 9 digits else. Years outside 0 to
// 9999 have a sign and at least six digits.
func AppendTimestampText(dst []byte, sec, nanos int64) []byte {
	carry := floorDiv(nanos, 1e9)
	sec, nanos = sec+carry, nanos-carry*1e9
	days := floorDiv(sec, 86_400)
	dst = append(AppendDateText(dst, days), 'T')
	dst = appendClock(dst, sec-days*86_400)
	if nanos != 0 {
		dst = appendFraction(dst, nanos)
	}
	return append(dst, 'Z')
}

// AppendDateText appends a date, given as days since the epoch: 2026-01-05.
// Years are written as AppendTimestampText does.
func AppendDateText(dst []byte, days int64) []byte {
	y, m, d := civilFromDays(days)
	switch {
	case y > 9999:
		dst = appendPadded(append(dst, '+'), y, 6)
	case y < 0:
		dst = appendPadded(append(dst, '-'), -y, 6)
	default:
		dst = appendPadded(dst, y, 4)
	}
	dst = appendPadded(append(dst, '-'), m, 2)
	return appendPadded(append(dst, '-'), d, 2)
}

// AppendTimeOfDayText appends a time of day, given as nanoseconds since
// midnight: 10:00:00.000, with 3, 6 or 9 digits of fraction.
func AppendTimeOfDayText(dst []byte, nanos int64) []byte {
	if nanos < 0 {
		dst = append(dst, '-')
		// The smallest of all has no positive counterpart; what is below the
		// range of a time of day is only kept readable.
		nanos = -max(nanos, -math.MaxInt64)
	}
	dst = appendClock(dst, nanos/1e9)
	return appendFraction(dst, nanos%1e9)
}

func appendClock(dst []byte, sec int64) []byte {
	dst = appendPadded(dst, sec/3600, 2)
	dst = appendPadded(append(dst, ':'), sec/60%60, 2)
	return appendPadded(append(dst, ':'), sec%60, 2)
}

func appendFraction(dst []byte, nanos int64) []byte {
	dst = append(dst, '.')
	switch {
	case nanos%1_000_000 == 0:
		return appendPadded(dst, nanos/1_000_000, 3)
	case nanos%1000 == 0:
		return appendPadded(dst, nanos/1000, 6)
	}
	return appendPadded(dst, nanos, 9)
}

// appendPadded appends v, which is not negative, with at least width digits.
func appendPadded(dst []byte, v int64, width int) []byte {
	for p := pow10(width - 1); p > v && p > 1; p /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, v, 10)
}
