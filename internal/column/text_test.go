package column

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

func TestAppendDouble(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1", -1: "-1", 1234567: "1234567", 0.1: "0.1", -0.5: "-0.5", 123.456: "123.456",
		1e20: "100000000000000000000", 123456789012345680000: "123456789012345680000", 1e21: "1e+21", -1e21: "-1e+21",
		1.5e300: "1.5e+300", 1e-6: "0.000001", 1.5e-6: "0.0000015", 1e-7: "1e-7", 1.23e-9: "1.23e-9", 1e-10: "1e-10", 5e-324: "5e-324",
		1.7976931348623157e308: "1.7976931348623157e+308", 1 << 53: "9007199254740992", 1 << 62: "4611686018427388000",
		math.Inf(1): "Infinity", math.Inf(-1): "-Infinity", 0: "0", 1700000000123.999: "1700000000123.999",
	} {
		if got := string(AppendDouble(nil, f)); got != want {
			t.Errorf("AppendDouble(%v) = %s, want %s", f, got, want)
		}
	}
	if got := string(AppendDouble([]byte("x"), math.Copysign(0, -1))); got != "x0" {
		t.Errorf("negative zero is %s", got)
	}
	if got := string(AppendDouble(nil, math.NaN())); got != "NaN" {
		t.Errorf("NaN is %s", got)
	}
	for f, want := range map[float32]string{0.1: "0.1", 16777216: "16777216", 3.4028235e38: "3.4028235e+38", 1e21: "1e+21", 1e20: "100000000000000000000",
		1e-6: "0.000001", 1e-7: "1e-7", 1e-45: "1e-45", float32(math.Inf(-1)): "-Infinity", 0: "0"} {
		if got := string(AppendFloat32(nil, f)); got != want {
			t.Errorf("AppendFloat32(%v) = %s, want %s", f, got, want)
		}
	}
}

// encoding/json writes numbers as ECMAScript does, but for the negative zero.
func TestDoublesAgainstJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 100_000 {
		f := math.Float64frombits(r.Uint64())
		if r.IntN(2) == 0 {
			f = math.Ldexp(r.Float64()-0.5, r.IntN(120)-40)
		}
		if f != f || math.IsInf(f, 0) {
			continue
		}
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		got := AppendDouble(nil, f)
		if f != 0 && string(got) != string(want) {
			t.Fatalf("AppendDouble = %s, want %s", got, want)
		}
		if back, err := strconv.ParseFloat(string(got), 64); err != nil || back != f {
			t.Fatalf("%s reads back as %v, not %v", got, back, f)
		}
		g := math.Float32frombits(r.Uint32())
		if g != g || math.IsInf(float64(g), 0) || g == 0 {
			continue
		}
		if want, err = json.Marshal(g); err != nil {
			t.Fatal(err)
		}
		if got = AppendFloat32(nil, g); string(got) != string(want) {
			t.Fatalf("AppendFloat32 = %s, want %s", got, want)
		}
	}
}

func TestTimeTexts(t *testing.T) {
	for _, c := range []struct {
		sec, nanos int64
		want       string
	}{
		{0, 0, "1970-01-01T00:00:00Z"}, {1767607200, 0, "2026-01-05T10:00:00Z"}, {1767607200, 123e6, "2026-01-05T10:00:00.123Z"},
		{1767607200, 120e6, "2026-01-05T10:00:00.120Z"}, {1767607200, 1, "2026-01-05T10:00:00.000000001Z"},
		{1767607200, 123456e3, "2026-01-05T10:00:00.123456Z"}, {-1, 0, "1969-12-31T23:59:59Z"}, {0, -1, "1969-12-31T23:59:59.999999999Z"},
		{1, 2_500_000_000, "1970-01-01T00:00:03.500Z"}, {253402300800, 0, "+010000-01-01T00:00:00Z"}, {-62167219201, 0, "-000001-12-31T23:59:59Z"},
		{-62167219200, 0, "0000-01-01T00:00:00Z"},
	} {
		if got := string(AppendTimestampText(nil, c.sec, c.nanos)); got != c.want {
			t.Errorf("AppendTimestampText(%d, %d) = %s, want %s", c.sec, c.nanos, got, c.want)
		}
	}
	for nanos, want := range map[int64]string{0: "00:00:00.000", 36000e9: "10:00:00.000", 86399999e6: "23:59:59.999",
		86399999999e3: "23:59:59.999999", 1: "00:00:00.000000001", 100e6: "00:00:00.100", 90000e9: "25:00:00.000", -1e9: "-00:00:01.000"} {
		if got := string(AppendTimeOfDayText(nil, nanos)); got != want {
			t.Errorf("AppendTimeOfDayText(%d) = %s, want %s", nanos, got, want)
		}
	}
	for _, v := range []int64{math.MinInt64, math.MaxInt64} {
		AppendTimestampText(nil, v, v)
		AppendDateText(nil, v)
		AppendTimeOfDayText(nil, v)
	}
}

func TestDatesAgainstTime(t *testing.T) {
	for days := int64(-720_000); days < 2_940_000; days += 1 {
		y, m, d := civilFromDays(days)
		if back := daysFromCivil(y, m, d); back != days {
			t.Fatalf("day %d is %d-%d-%d, which is day %d", days, y, m, d, back)
		}
		if days%37 == 0 {
			at := time.Unix(days*86_400, 0).UTC()
			if int64(at.Year()) != y || int64(at.Month()) != m || int64(at.Day()) != d {
				t.Fatalf("day %d is %d-%d-%d, want %s", days, y, m, d, at.Format(time.DateOnly))
			}
		}
	}
}

func TestAppendDecimal(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	one := big.NewInt(1)
	for i := range 20_000 {
		// A value of n bytes, the extremes among them.
		n := r.IntN(24)
		half := new(big.Int).Lsh(one, uint(max(8*n-1, 0)))
		v := new(big.Int)
		b := make([]byte, n)
		for j := range b {
			switch i % 3 {
			case 0:
				b[j] = byte(r.Uint32())
			case 1:
				b[j] = 0xff
			}
		}
		if i%5 == 0 && n > 0 {
			b[0] = 0x80
		}
		v.SetBytes(b)
		if n > 0 && v.Cmp(half) >= 0 {
			v.Sub(v, new(big.Int).Lsh(one, uint(8*n)))
		}
		scale := r.IntN(25)
		want := new(big.Rat).SetFrac(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(scale)
		if got := string(AppendDecimal(nil, b, scale)); got != want {
			t.Fatalf("AppendDecimal(%x, %d) = %s, want %s", b, scale, got, want)
		}
		if v.IsInt64() {
			if got := string(appendDecimalInt(nil, v.Int64(), scale)); got != want {
				t.Fatalf("AppendDecimalInt(%v, %d) = %s, want %s", v, scale, got, want)
			}
		}
	}
	if got := string(AppendDecimal(nil, []byte{5}, -2)); got != "500" {
		t.Errorf("5 with scale -2 is %s", got)
	}
}

func TestCompareValues(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	doubles := Column{Type: Type{ID: Double}, Floats: []float64{-inf, -1, 0, 1, inf, nan}}
	ints := Column{Type: Type{ID: Timestamp}, Ints: []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}}
	texts := Column{Type: Type{}, Dict: NewDict()}
	for _, s := range []string{"", "B", "a", "a\x00", "ab", "é", "\xff"} {
		texts.AppendBytes([]byte(s))
	}
	src := Column{Dict: NewDict()}
	for _, s := range []string{"-99999999999999999999999999999999.999999", "-1", "-0.000001", "0", "0.000001", "1", "99999999999999999999999999999999.999999"} {
		src.AppendBytes([]byte(s))
	}
	var decimals Column
	if fails := Cast(&src, Type{ID: Decimal, Precision: 38, Scale: 6}, &decimals); len(fails) > 0 {
		t.Fatal(fails)
	}
	for _, c := range []*Column{&doubles, &ints, &texts, &decimals} {
		for i := range c.Len() {
			for j := range c.Len() {
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				if got := CompareValues(c, i, c, j); got != want {
					t.Errorf("%s: %s against %s is %d", c.Type, AppendText(nil, c, i), AppendText(nil, c, j), got)
				}
			}
		}
	}
	zeros := Column{Type: Type{ID: Double}, Floats: []float64{0, math.Copysign(0, -1)}}
	if CompareValues(&zeros, 0, &zeros, 1) != 0 {
		t.Error("the zeros differ")
	}
	if CompareValues(&texts, 1, &ints, 3) <= 0 {
		t.Error("columns of different types do not compare by text")
	}
}
