package column

import (
	"bytes"
	"math"
)

// TimeStatus says what became of a timestamp.
type TimeStatus uint8

const (
	// TimeOK is a point in time of the years that count.
	TimeOK TimeStatus = iota
	// TimeNull is a value that stands for no time: empty text, a numeric zero
	// in any spelling, "Invalid date".
	TimeNull
	// TimeBad is anything else.
	TimeBad
)

const (
	msPerDay  = 86_400_000
	minMillis = -62_135_596_800_000 // the first of the year 1
	maxMillis = 253_402_300_799_999 // the last of the year 9999
)

// ParseTimestamp reads a point in time as milliseconds since the epoch. White
// space around it is ignored, finer fractions are floored.
//
// Numbers are taken exactly, exponents included, in the unit of the rule. Without
// one their absolute value tells it: below 1e11 they are seconds, below 1e14
// milliseconds, below 1e17 microseconds, else nanoseconds; a negative one is then
// bad. Other text is ISO 8601: a date, extended or basic, alone or
// followed by T, t or a blank, a time down to the hour at least, with a
// fraction of the second after a point or a comma, and an offset: Z, " UTC",
// +HH, +HHMM, +HH:MM or none, which is UTC. 24:00 is the end of the day; leap
// seconds are bad.
func (r Rule) ParseTimestamp(b []byte) (ms int64, st TimeStatus) {
	b = trim(b)
	if len(b) == 0 {
		return 0, TimeNull
	}
	if len(b) <= 18 {
		if v, ok := parseInt(b); ok {
			return r.timestampFromInt(v)
		}
	}
	// No number has a minus sign right behind a digit.
	if extended := len(b) > 4 && b[4] == '-' && b[3]-'0' <= 9; !extended {
		if n, ok := scanNumber(b); ok {
			return r.numberMillis(&n)
		}
	}
	if ms, ok := isoMillis(b); ok {
		return r.inYears(ms)
	}
	if bytes.EqualFold(b, []byte("invalid date")) {
		return 0, TimeNull
	}
	return 0, TimeBad
}

// timestampFromInt is ParseTimestamp of the decimal text of v.
func (r Rule) timestampFromInt(v int64) (ms int64, st TimeStatus) {
	if v == 0 {
		return 0, TimeNull
	}
	unit := r.Unit
	if unit == UnitAuto {
		switch {
		case v < 0:
			return 0, TimeBad
		case v < 1e11:
			return v * 1000, TimeOK
		case v < 1e14:
			return v, TimeOK
		case v < 1e17:
			return v / 1000, TimeOK
		}
		return v / 1_000_000, TimeOK
	}
	switch unit {
	case UnitSeconds:
		if v > maxMillis || v < minMillis { // far beyond the years, far from overflow
			return 0, TimeBad
		}
		v *= 1000
	case UnitMicros:
		v = floorDiv(v, 1000)
	case UnitNanos:
		v = floorDiv(v, 1_000_000)
	}
	return r.inYears(v)
}

// exactInt returns f as an integer if its text is that integer's.
func exactInt(f float64) (int64, bool) {
	if f < -1<<53 || f > 1<<53 || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// numberMillis is timestampFromInt of any number. Units differ by powers of ten, so
// that a unit is a count of digits to take and nothing is rounded.
func (r Rule) numberMillis(n *number) (int64, TimeStatus) {
	if r.Unit == UnitAuto && n.exp == 0 && !n.neg && len(n.whole) <= 18 {
		// Of all units but seconds, the fraction is floored away.
		if v, _ := parseInt(n.whole); v >= 1e11 {
			return r.timestampFromInt(v)
		}
	}
	first, ints := n.leading()
	if first == n.len() {
		return 0, TimeNull
	}
	if n.neg && r.Unit == UnitAuto {
		return 0, TimeBad
	}
	count := ints + r.Unit.shift(ints)
	if count > 15 {
		return 0, TimeBad
	}
	ms := int64(n.take(first, max(count, 0)).lo)
	if n.neg {
		ms = -ms
		if n.more(first + max(count, 0)) {
			ms-- // floored
		}
	}
	return r.inYears(ms)
}

// shift returns how many digits more than before its point a number has as
// milliseconds; ints is what it has there.
func (u TimeUnit) shift(ints int) int {
	switch {
	case u == UnitSeconds || u == UnitAuto && ints <= 11:
		return 3
	case u == UnitMillis || u == UnitAuto && ints <= 14:
		return 0
	case u == UnitMicros || u == UnitAuto && ints <= 17:
		return -3
	}
	return -6
}

// inYears passes the years that count.
func (r Rule) inYears(ms int64) (int64, TimeStatus) {
	if ms > maxMillis || ms < minMillis || ms < 0 && r.Event {
		return 0, TimeBad
	}
	return ms, TimeOK
}

// isoMillis reads ISO 8601 text of the years 0 to 9999.
func isoMillis(b []byte) (ms int64, ok bool) {
	days, b, ok := isoDate(b)
	if !ok {
		return 0, false
	}
	ms = days * msPerDay
	if len(b) == 0 {
		return ms, true
	}
	if b[0] != 'T' && b[0] != 't' && b[0] != ' ' {
		return 0, false
	}
	clock, b, ok := isoClock(b[1:])
	if !ok {
		return 0, false
	}
	offset, ok := isoOffset(b)
	return ms + clock - offset, ok
}

// isoDate reads YYYY-MM-DD or YYYYMMDD from the start of b and returns days
// since the epoch.
func isoDate(b []byte) (days int64, rest []byte, ok bool) {
	century, b, ok1 := twoDigits(b)
	year, b, ok2 := twoDigits(b)
	if !ok1 || !ok2 {
		return 0, nil, false
	}
	extended := len(b) > 0 && b[0] == '-'
	if extended {
		b = b[1:]
	}
	month, b, ok1 := twoDigits(b)
	if extended {
		if len(b) == 0 || b[0] != '-' {
			return 0, nil, false
		}
		b = b[1:]
	}
	day, b, ok2 := twoDigits(b)
	year += 100 * century
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) {
		return 0, nil, false
	}
	return daysFromCivil(year, month, day), b, true
}

// isoClock reads HH, HH:MM or HH:MM:SS with an optional fraction from the
// start of b, with or without the colons, and returns milliseconds.
func isoClock(b []byte) (ms int64, rest []byte, ok bool) {
	hour, b, ok := twoDigits(b)
	if !ok {
		return 0, nil, false
	}
	minute, b, more, ok := nextField(b)
	if !ok {
		return 0, nil, false
	}
	var second, milli int64
	whole := true
	if more {
		if second, b, more, ok = nextField(b); !ok {
			return 0, nil, false
		}
		if more && len(b) > 0 && (b[0] == '.' || b[0] == ',') {
			if milli, whole, b, ok = isoFraction(b[1:]); !ok {
				return 0, nil, false
			}
		}
	}
	ms = hour*3_600_000 + minute*60_000 + second*1000 + milli
	if hour > 24 || hour == 24 && (ms > msPerDay || !whole) || minute > 59 || second > 59 {
		return 0, nil, false
	}
	return ms, b, true
}

// nextField reads the two digits of minutes or seconds, after a colon or right
// away; found is false when there are none.
func nextField(b []byte) (v int64, rest []byte, found, ok bool) {
	if len(b) > 0 && b[0] == ':' {
		v, b, ok = twoDigits(b[1:])
		return v, b, ok, ok
	}
	if len(b) == 0 || b[0]-'0' > 9 {
		return 0, b, false, true
	}
	v, b, ok = twoDigits(b)
	return v, b, ok, ok
}

// isoFraction reads the digits behind the seconds; zero says that all of them
// are zeros.
func isoFraction(b []byte) (ms int64, zero bool, rest []byte, ok bool) {
	digits, rest := leadingDigits(b)
	zero = true
	for i := range max(3, len(digits)) {
		d := byte('0')
		if i < len(digits) {
			d = digits[i]
		}
		if i < 3 {
			ms = ms*10 + int64(d-'0')
		}
		zero = zero && d == '0'
	}
	return ms, zero, rest, len(digits) > 0
}

// isoOffset reads an offset, which must be all of b, as milliseconds east.
func isoOffset(b []byte) (ms int64, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	b = bytes.TrimLeft(b, " ")
	if len(b) == 0 || b[0] != '+' && b[0] != '-' {
		return 0, len(b) == 1 && b[0]|0x20 == 'z' || bytes.EqualFold(b, []byte("UTC"))
	}
	sign := int64(1)
	if b[0] == '-' {
		sign = -1
	}
	hours, b, ok1 := twoDigits(b[1:])
	minutes, b, _, ok2 := nextField(b)
	if !ok1 || !ok2 || len(b) > 0 || hours > 23 || minutes > 59 {
		return 0, false
	}
	return sign * (hours*3_600_000 + minutes*60_000), true
}

func twoDigits(b []byte) (v int64, rest []byte, ok bool) {
	if len(b) < 2 || b[0]-'0' > 9 || b[1]-'0' > 9 {
		return 0, nil, false
	}
	return int64(b[0]-'0')*10 + int64(b[1]-'0'), b[2:], true
}
