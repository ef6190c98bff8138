package column

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// The timestamps that the contract names begin with 1970, those that the
// configuration types with the year 1.
func TestCastYears(t *testing.T) {
	src := &Column{Type: Type{ID: Timestamp}, Ints: []int64{0, 5, -1, minMillis, minMillis - 1, maxMillis + 1}, Null: make([]bool, 6)}
	var dst Column
	want := []string{"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.005Z", "<null>!1969-12-31T23:59:59.999Z", "<null>!0001-01-01T00:00:00Z",
		"<null>!0000-12-31T23:59:59.999Z", "<null>!+010000-01-01T00:00:00Z"}
	if got := shown(&dst, event.Cast(src, &dst).Fails); !slices.Equal(got, want) {
		t.Errorf("of an event: %q, want %q", got, want)
	}
	dst = Column{}
	want[2], want[3] = "1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z"
	if got := shown(&dst, Cast(src, Type{ID: Timestamp}, &dst)); !slices.Equal(got, want) {
		t.Errorf("of a typed column: %q, want %q", got, want)
	}
}

func TestTimeUnits(t *testing.T) {
	in := []string{"-1", "498787200", "-469065600000", "-0.5", "0", "-0.0", "86400000", "1955-02-24", "-62135596801", "1e3", "-1e-9"}
	for _, c := range []struct {
		typ  string
		unit TimeUnit
		want []string
	}{
		{"timestamp", UnitSeconds, []string{"1969-12-31T23:59:59Z", "1985-10-22T00:00:00Z", "<null>!-469065600000", "1969-12-31T23:59:59.500Z", "<null>", "<null>",
			"1972-09-27T00:00:00Z", "1955-02-24T00:00:00Z", "<null>!-62135596801", "1970-01-01T00:16:40Z", "1969-12-31T23:59:59.999Z"}},
		{"timestamp", UnitMillis, []string{"1969-12-31T23:59:59.999Z", "1970-01-06T18:33:07.200Z", "1955-02-20T00:00:00Z", "1969-12-31T23:59:59.999Z", "<null>", "<null>",
			"1970-01-02T00:00:00Z", "1955-02-24T00:00:00Z", "1968-01-12T20:06:43.199Z", "1970-01-01T00:00:01Z", "1969-12-31T23:59:59.999Z"}},
		{"date", UnitMillis, []string{"1969-12-31", "1970-01-06", "1955-02-20", "1969-12-31", "<null>", "<null>", "1970-01-02", "1955-02-24", "1968-01-12",
			"1970-01-01", "1969-12-31"}},
		{"date", UnitAuto, []string{"<null>!-1", "1985-10-22", "<null>!-469065600000", "<null>!-0.5", "<null>", "<null>", "1972-09-27", "1955-02-24",
			"<null>!-62135596801", "1970-01-01", "<null>!-1e-9"}},
	} {
		for _, src := range []*Column{texts(in...), texts(append(in, in...)...)} {
			var dst Column
			got := shown(&dst, Rule{Type: mustType(t, c.typ), Unit: c.unit}.Cast(src, &dst).Fails)
			if !slices.Equal(got[:len(in)], c.want) {
				t.Errorf("%s, %s:\n got %q\nwant %q", c.typ, c.unit, got[:len(in)], c.want)
			}
		}
	}
}

func TestRounding(t *testing.T) {
	big := strings.Repeat("9", 36)
	for _, c := range []struct {
		typ, in, want string
		rounded       int64
	}{
		{"decimal(12,2)", "19.990000000000002", "19.99", 1}, {"decimal(12,2)", "30.000000000000004", "30.00", 1}, {"decimal(12,2)", "19.99", "19.99", 0},
		{"decimal(12,2)", "12.345", "12.34", 1}, {"decimal(12,2)", "12.355", "12.36", 1}, {"decimal(12,2)", "-12.345", "-12.34", 1},
		{"decimal(12,2)", "12.3450000001", "12.35", 1}, {"decimal(12,2)", "0.005", "0.00", 1}, {"decimal(12,2)", "-0.005", "0.00", 1},
		{"decimal(12,2)", "0.015", "0.02", 1}, {"decimal(12,2)", "0.0051", "0.01", 1}, {"decimal(12,2)", "1e-7", "0.00", 1}, {"decimal(12,2)", "6e-3", "0.01", 1},
		{"decimal(12,2)", "1e-999999999999", "0.00", 1}, {"decimal(12,2)", "9999999999.994", "9999999999.99", 1},
		{"decimal(12,2)", "9999999999.995", "<null>!9999999999.995", 0}, {"decimal(12,2)", "-9999999999.999", "<null>!-9999999999.999", 0},
		{"decimal(12,2)", "1e+21", "<null>!1e+21", 0}, {"decimal(12,2)", "abc", "<null>!abc", 0}, {"decimal(12,2)", " ", "<null>", 0},
		{"decimal(12,2)", "1.2300", "1.23", 0}, {"decimal(3,0)", "999.5", "<null>!999.5", 0}, {"decimal(3,0)", "998.5", "998", 1}, {"decimal(3,0)", "0.5", "0", 1},
		{"decimal(3,0)", "1.5", "2", 1}, {"decimal(38,2)", big + ".994", big + ".99", 1}, {"decimal(38,2)", big + ".995", "<null>!" + big + ".995", 0},
		{"decimal(38,2)", "-0.015", "-0.02", 1}, {"decimal(20,2)", "12.345", "12.34", 1},
	} {
		for _, n := range []int{1, 5} { // five look it up in a memo
			var dst Column
			in := slices.Repeat([]string{c.in}, n)
			res := Rule{Type: mustType(t, c.typ), HalfEven: true}.Cast(texts(in...), &dst)
			if got := shown(&dst, res.Fails)[0]; got != c.want || res.Rounded != int64(n)*c.rounded {
				t.Errorf("%q as %s is %q, %d rounded; want %q, %d", c.in, c.typ, got, res.Rounded, c.want, int64(n)*c.rounded)
			}
		}
	}
	var dst Column
	doubles := &Column{Type: Type{ID: Double}, Floats: []float64{0.30000000000000004, 24.900000000000002, 1e-7, 5, 1e21}}
	res := Rule{Type: mustType(t, "decimal(12,2)"), HalfEven: true}.Cast(doubles, &dst)
	want := []string{"0.30", "24.90", "0.00", "5.00", "<null>!1e+21"}
	if got := shown(&dst, res.Fails); !slices.Equal(got, want) || res.Rounded != 3 {
		t.Errorf("doubles: %q, %d rounded; want %q", got, res.Rounded, want)
	}
}

// slowHalfEven is slowDecimal with rounding.
func slowHalfEven(s string, t Type) (text string, rounded, ok bool) {
	r, ok := new(big.Rat).SetString(s)
	if m := numberRule.FindStringSubmatch(s); !ok || m == nil || m[2]+m[3] == "" {
		return "", false, false
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(unit))
	n, rest := new(big.Int).DivMod(scaled.Num(), scaled.Denom(), new(big.Int)) // floored
	if half := rest.Lsh(rest, 1).Cmp(scaled.Denom()); half > 0 || half == 0 && n.Bit(0) == 1 {
		n.Add(n, big.NewInt(1))
	}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)
	text = new(big.Rat).SetFrac(n, unit).FloatString(t.Scale)
	return text, !scaled.IsInt(), n.CmpAbs(limit) < 0
}

func checkRounding(t *testing.T, s string, typ Type) {
	t.Helper()
	trimmed := string(bytes.TrimSpace([]byte(s)))
	want, rounded, ok := slowHalfEven(trimmed, typ)
	var dst Column
	res := Rule{Type: typ, HalfEven: true}.Cast(texts(s), &dst)
	if got := shown(&dst, nil)[0]; (len(res.Fails) == 0) != (ok || trimmed == "") || ok && (got != want || (res.Rounded == 1) != rounded) {
		t.Fatalf("%q rounded to a %s: %s, %+v; want %s, ok %v, rounded %v", s, typ, got, res, want, ok, rounded)
	}
}
