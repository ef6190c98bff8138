package column

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// event is the rule of the vendor's own timestamps.
var event = Rule{Type: Type{ID: Timestamp}, Event: true}

// timeRules are all ways to read a point in time.
func timeRules() []Rule {
	var out []Rule
	for _, name := range UnitNames() {
		unit, _ := ParseTimeUnit(name)
		for _, e := range []bool{true, false} {
			out = append(out, Rule{Type: Type{ID: Timestamp}, Unit: unit, Event: e})
		}
	}
	return out
}

func TestParseTimestamp(t *testing.T) {
	const noon = 1767614400123 // 2026-01-05T12:00:00.123Z
	ok := map[string]int64{
		// Numbers.
		"1767614400123": noon, " 1767614400123\t": noon, "+1767614400123": noon, "01767614400123": noon,
		"1767614400123.0": noon, "1767614400123.": noon, "1767614400123.999": noon, "1.767614400123e12": noon,
		"1767614400123999e-3": noon, "1767614400.123": noon, "1767614400.1239999999999999999999": noon,
		"1767614400123456": noon, "1767614400123456.789": noon, "1767614400123456789": noon,
		"1767614400123456789.5": noon, "0.1767614400123E+13": noon,
		"1": 1000, "1e0": 1000, "0.5": 500, ".5": 500, "0.0005": 0, "1e-30": 0, "0.001": 1,
		"99999999999": 99999999999000, "99999999999.9999": 99999999999999,
		"100000000000": 100000000000, "99999999999999": 99999999999999, "99999999999999.9": 99999999999999,
		"100000000000000": 100000000000, "99999999999999999": 99999999999999,
		"100000000000000000": 100000000000, "253402300799999999999": maxMillis,
		"9223372036854775807": 9223372036854, "1e20": 100000000000000,
		"20260105": 20260105000, "2026": 2026000,
		// ISO 8601.
		"2026-01-05T12:00:00.123Z": noon, "2026-01-05 12:00:00.123": noon, "2026-01-05t12:00:00.123z": noon,
		"2026-01-05 12:00:00.123 UTC": noon, "2026-01-05 12:00:00.123 utc": noon, "2026-01-05T12:00:00,123+00": noon,
		"2026-01-05T13:00:00.123+01": noon, "2026-01-05T13:00:00.123+01:00": noon, "2026-01-05T10:30:00.123-0130": noon,
		"2026-01-06T11:59:00.123+23:59": noon, "2026-01-05 12:00:00.123 +0000": noon, "2026-01-05T12:00:00.123-00:00": noon,
		"2026-01-05T12:00:00.1239999999999999999Z": noon, "  2026-01-05T12:00:00.123Z\n": noon,
		"20260105T120000.123Z": noon, "2026-01-05T120000.123": noon,
		"2026-01-05T12:00:00.1": noon - 23, "2026-01-05T12:00:00.12": noon - 3, "2026-01-05T12:00:00": noon - 123,
		"2026-01-05T12:00": noon - 123, "2026-01-05 12": noon - 123, "2026-01-05T12Z": noon - 123, "2026-01-05T1200+0000": noon - 123,
		"2026-01-05": 1767571200000, "2024-02-29": 1709164800000, "2000-02-29": 951782400000,
		"2026-01-05T24:00:00": 1767657600000, "2026-01-05T24:00:00.000Z": 1767657600000, "2026-01-05T24": 1767657600000,
		"1970-01-01": 0, "1970-01-01T00:00:00Z": 0, "1969-12-31T23:00:00-01:00": 0,
		"9999-12-31T23:59:59.999999Z": maxMillis,
	}
	for s, want := range ok {
		if ms, st := event.ParseTimestamp([]byte(s)); st != TimeOK || ms != want {
			t.Errorf("ParseTimestamp(%q) = %d, status %d; want %d", s, ms, st, want)
		}
	}
	for _, s := range []string{"", " ", "0", "00", "-0", "+0", "0.0", "-0.000", ".0", "0.", "0e99", "0E-5", " 0 ",
		"000000000000000000000000", "Invalid date", "invalid date", "INVALID DATE", " Invalid Date "} {
		if ms, st := event.ParseTimestamp([]byte(s)); st != TimeNull || ms != 0 {
			t.Errorf("ParseTimestamp(%q) = %d, status %d; want null", s, ms, st)
		}
	}
	for _, s := range []string{"-1", "-0.0001", "-1700000000123", "-9223372036854775808", "253402300800000000000", "1e21", "1e400",
		"1e99999999999999999999", "NaN", "Infinity", "-inf", "null", "abc", ".", "-", "+", "e5", "1e", "1e+", "1.2.3", "1_000", "0x10",
		"1 2", "1700000000123Z", "Invalid  date", "invalid",
		"2026-01", "2026-1-5", "2026/01/05", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32", "2025-02-29", "1900-02-29",
		"2026-04-31", "2026-01-05Z", "2026-01-05T", "2026-01-05  12:00:00", "2026-01-05X12:00:00", "2026-0105",
		"202601-05", "2026-01-05T25:00:00", "2026-01-05T24:00:01", "2026-01-05T24:00:00.0001", "2026-01-05T24:01", "2026-01-05T12:60:00",
		"2026-01-05T12:00:60", "2026-01-05T12:0:00", "2026-01-05T12:00:", "2026-01-05T12:", "2026-01-05T12:00:00.", "2026-01-05T12:00:00.Z",
		"2026-01-05T12:00.5", "2026-01-05T12:00:00:00", "2026-01-05T12:00:00+", "2026-01-05T12:00:00+1", "2026-01-05T12:00:00+01:",
		"2026-01-05T12:00:00+01:0", "2026-01-05T12:00:00+24:00", "2026-01-05T12:00:00+01:60", "2026-01-05T12:00:00+01:00:00",
		"2026-01-05T12:00:00ZZ", "2026-01-05T12:00:00 CET", "2026-01-05T12:00:00 UTCx",
		"1969-12-31", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00+01:00", "10000-01-01", "+2026-01-05", "-2026-01-05", "0000-01-01",
		"9999-12-31T23:59:59-01:00", "\xff", "２０２６"} {
		if ms, st := event.ParseTimestamp([]byte(s)); st != TimeBad || ms != 0 {
			t.Errorf("ParseTimestamp(%q) = %d, status %d; want bad", s, ms, st)
		}
	}
}

var (
	numberRule   = regexp.MustCompile(`^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,4}))?$`)
	longExponent = regexp.MustCompile(`[eE][+-]?[0-9]{5}`)
	isoRule      = regexp.MustCompile(`^(?:(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d))` +
		`(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?( *[Zz]| *[Uu][Tt][Cc]| *[+-]\d\d(?::?\d\d)?)?)?$`)
)

// slowTimestamp is ParseTimestamp by the book, with exact rationals and
// package time.
func slowTimestamp(rule Rule, s string) (int64, TimeStatus) {
	s = string(bytes.TrimSpace([]byte(s)))
	if s == "" || strings.EqualFold(s, "invalid date") {
		return 0, TimeNull
	}
	if m := numberRule.FindStringSubmatch(s); m != nil && m[2]+m[3] != "" {
		return slowNumber(rule, s)
	}
	if m := isoRule.FindStringSubmatch(s); m != nil {
		return slowISO(rule, m)
	}
	return 0, TimeBad
}

func slowNumber(rule Rule, s string) (int64, TimeStatus) {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, TimeBad
	}
	abs := new(big.Rat).Abs(r)
	below := func(e int64) bool {
		return abs.Cmp(new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(e), nil))) < 0
	}
	switch {
	case r.Sign() == 0:
		return 0, TimeNull
	case rule.Unit == UnitAuto && r.Sign() < 0:
		return 0, TimeBad
	case rule.Unit == UnitSeconds:
		r.Mul(r, big.NewRat(1000, 1))
	case rule.Unit == UnitMillis:
	case rule.Unit == UnitMicros:
		r.Quo(r, big.NewRat(1000, 1))
	case rule.Unit == UnitNanos:
		r.Quo(r, big.NewRat(1_000_000, 1))
	case below(11):
		r.Mul(r, big.NewRat(1000, 1))
	case below(14):
	case below(17):
		r.Quo(r, big.NewRat(1000, 1))
	default:
		r.Quo(r, big.NewRat(1_000_000, 1))
	}
	ms := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: floors for a positive divisor
	if !ms.IsInt64() {
		return 0, TimeBad
	}
	return slowYears(rule, time.UnixMilli(ms.Int64()))
}

func slowISO(rule Rule, m []string) (int64, TimeStatus) {
	num := func(s string) int {
		v, _ := strconv.Atoi(s)
		return v
	}
	y, mo, d := num(m[1]+m[4]), num(m[2]+m[5]), num(m[3]+m[6])
	day := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	if day.Month() != time.Month(mo) || day.Day() != d {
		return 0, TimeBad
	}
	h, mi, sec := num(m[7]), num(m[8]), num(m[9])
	if mi > 59 || sec > 59 || h > 24 || h == 24 && (mi != 0 || sec != 0 || strings.Trim(m[10], "0") != "") {
		return 0, TimeBad
	}
	at := day.Add(time.Duration(h)*time.Hour + time.Duration(mi)*time.Minute + time.Duration(sec)*time.Second)
	at = at.Add(time.Duration(num((m[10] + "000")[:3])) * time.Millisecond)
	if off := strings.TrimLeft(m[11], " "); off != "" && (off[0] == '+' || off[0] == '-') {
		hh, mm := num(off[1:3]), num(strings.TrimPrefix(off[3:], ":"))
		if hh > 23 || mm > 59 {
			return 0, TimeBad
		}
		east := time.Duration(hh)*time.Hour + time.Duration(mm)*time.Minute
		if off[0] == '-' {
			east = -east
		}
		at = at.Add(-east)
	}
	return slowYears(rule, at)
}

func slowYears(rule Rule, at time.Time) (int64, TimeStatus) {
	first := 1
	if rule.Event {
		first = 1970
	}
	if y := at.UTC().Year(); y < first || y > 9999 {
		return 0, TimeBad
	}
	return at.UnixMilli(), TimeOK
}

func TestTimestampsAgainstTheBook(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	alphabet := []string{"0", "1", "9", "17", "2026", "-01", "-05", "T", " ", ":00", ":59", ".", ",", "123", "e", "E-", "+", "-", "Z", "UTC",
		"2026-01-05T", "12:30:45", "99999", "24", "0001-01-01", "1969-12-31"}
	for range 60_000 {
		var sb strings.Builder
		for range 1 + r.IntN(7) {
			sb.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		checkTimestamp(t, sb.String())
	}
	for range 100_000 {
		ms := r.Int64N(maxMillis + 1)
		at := time.UnixMilli(ms)
		zone := time.FixedZone("", (r.IntN(2*1439)-1439)*60)
		for _, layout := range []string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02 15:04:05.000 -0700", "20060102T150405.000-0700"} {
			s := at.In(zone).Format(layout)
			if y := at.In(zone).Year(); y > 9999 {
				continue
			}
			if got, st := event.ParseTimestamp([]byte(s)); st != TimeOK || got != ms {
				t.Fatalf("ParseTimestamp(%q) = %d, status %d; want %d", s, got, st, ms)
			}
		}
	}
}

func checkTimestamp(t *testing.T, s string) {
	t.Helper()
	if longExponent.MatchString(s) {
		return // beyond the oracle
	}
	for _, rule := range timeRules() {
		want, wantSt := slowTimestamp(rule, s)
		if ms, st := rule.ParseTimestamp([]byte(s)); st != wantSt || ms != want {
			t.Fatalf("%+v: ParseTimestamp(%q) = %d, status %d; want %d, status %d", rule, s, ms, st, want, wantSt)
		}
	}
}

func TestNativeTimestampsAreThoseOfTheText(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	ints := []int64{0, 1, -1, 1e11 - 1, 1e11, 1e14 - 1, 1e14, 1e17 - 1, 1e17, math.MaxInt64, math.MinInt64}
	floats := []float64{0, math.Copysign(0, -1), 0.5, 1e-9, -1e-9, 99999999999.5, 1e11, 1e14, 1e17, 1e20, 2.534e20, 2.535e20, 1e21, 1e300,
		1 << 53, 1<<53 + 2, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, 1700000000.123, 1700000000123.999}
	for range 5_000 {
		ints = append(ints, int64(r.Uint64())>>r.IntN(64))
		floats = append(floats, math.Ldexp(r.Float64(), r.IntN(75)), math.Float64frombits(r.Uint64()))
	}
	for _, rule := range timeRules() {
		for _, v := range ints {
			want, wantSt := slowTimestamp(rule, strconv.FormatInt(v, 10))
			if ms, st := rule.timestampFromInt(v); ms != want || st != wantSt {
				t.Fatalf("%+v: TimestampFromInt(%d) = %d, status %d; want %d, status %d", rule, v, ms, st, want, wantSt)
			}
		}
		src, dst := Column{Type: Type{ID: Double}, Floats: floats}, Column{}
		rule.Cast(&src, &dst)
		for i, f := range floats {
			want, wantSt := slowTimestamp(rule, string(AppendDouble(nil, f)))
			if dst.Ints[i] != want || dst.IsNull(i) != (wantSt != TimeOK) {
				t.Fatalf("%+v: %v is %d, null %v; want %d, status %d", rule, f, dst.Ints[i], dst.IsNull(i), want, wantSt)
			}
		}
	}
}

func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{"", "0", "-0.0", "1767614400123", "1767614400123.999", "1.7e12", "2026-01-05T12:00:00.123+01:00",
		"2026-01-05 12:00:00 UTC", "20260105T120000,5Z", "Invalid date", "1969-12-31T23:30:00-01:00", "253402300799999999999", "-62135596800000", "-0.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkTimestamp(t, s)
	})
}

func BenchmarkParseTimestamp(b *testing.B) {
	for name, s := range map[string]string{"ms": "1767614400123", "point": "1767614400123.0", "iso": "2026-01-05T12:00:00.123Z"} {
		v := []byte(s)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, st := event.ParseTimestamp(v); st != TimeOK {
					b.Fatal("not a timestamp")
				}
			}
		})
	}
}
