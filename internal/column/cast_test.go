package column

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// texts returns a String column of values; "<null>" is null.
func texts(values ...string) *Column {
	c := &Column{Dict: NewDict()}
	for _, v := range values {
		if v == "<null>" {
			c.AppendNulls(1)
			continue
		}
		c.AppendBytes([]byte(v))
	}
	return c
}

// shown returns the text of every row and of every failure of a cast.
func shown(c *Column, fails []Fail) []string {
	out := make([]string, c.Len())
	for i := range out {
		out[i] = "<null>"
		if !c.IsNull(i) {
			out[i] = string(AppendText(nil, c, i))
		}
	}
	for _, f := range fails {
		mark := "!"
		if f.Kept {
			mark = "~"
		}
		out[f.Row] += mark + string(f.Text)
	}
	return out
}

func mustType(t testing.TB, s string) Type {
	t.Helper()
	typ, err := ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestCastTexts(t *testing.T) {
	big38 := strings.Repeat("9", 38)
	for _, c := range []struct{ typ, in, want string }{
		{"string", "", ""}, {"string", " a ", " a "}, {"string", "\xff\xfea\xc3", "\uFFFDa\uFFFD~\xff\xfea\xc3"}, {"string", "\x00", "\x00"},
		{"int64", " -42 ", "-42"}, {"int64", "007", "7"}, {"int64", "", "<null>"}, {"int64", " \t", "<null>"}, {"int64", "1.0", "<null>!1.0"},
		{"int64", "+1", "<null>!+1"}, {"int64", "9223372036854775808", "<null>!9223372036854775808"}, {"int64", " x ", "<null>! x "},
		{"double", "1e3", "1000"}, {"double", " +.5 ", "0.5"}, {"double", "-0", "0"}, {"double", "nan", "NaN"}, {"double", "iNf", "Infinity"},
		{"double", "-Infinity", "-Infinity"}, {"double", "+inf", "Infinity"}, {"double", "", "<null>"}, {"double", "1e309", "<null>!1e309"},
		{"double", "0x1p3", "<null>!0x1p3"}, {"double", "1_000", "<null>!1_000"}, {"double", "-nan", "<null>!-nan"}, {"double", "1e-400", "0"},
		{"double", "1,5", "<null>!1,5"}, {"double", "infinit", "<null>!infinit"}, {"double", "-", "<null>!-"}, {"double", ".", "<null>!."},
		{"double", strings.Repeat("1", 300), "1.1111111111111112e+299"},
		{"boolean", "TRUE", "true"}, {"boolean", "f", "false"}, {"boolean", " 1", "true"}, {"boolean", "0", "false"}, {"boolean", "", "<null>"},
		{"boolean", "yes", "<null>!yes"}, {"boolean", "2", "<null>!2"}, {"boolean", "trUe", "true"}, {"boolean", "falsf", "<null>!falsf"},
		{"boolean", "1.0", "<null>!1.0"}, {"boolean", "01", "<null>!01"}, {"boolean", "tr", "<null>!tr"},
		{"timestamp", "1767614400123", "2026-01-05T12:00:00.123Z"}, {"timestamp", "0", "<null>"}, {"timestamp", "Invalid date", "<null>"},
		{"timestamp", "", "<null>"}, {"timestamp", "yesterday", "<null>!yesterday"}, {"timestamp", "-5", "<null>!-5"},
		{"date", "2026-01-05T23:59:59.999Z", "2026-01-05"}, {"date", "2026-01-05T23:30:00-01:00", "2026-01-06"}, {"date", "1767614400123", "2026-01-05"},
		{"date", "0", "<null>"}, {"date", "2026-02-30", "<null>!2026-02-30"},
		{"decimal(12,2)", "12.3", "12.30"}, {"decimal(12,2)", " -0.5 ", "-0.50"}, {"decimal(12,2)", "1.2300", "1.23"}, {"decimal(12,2)", "-0.00", "0.00"},
		{"decimal(12,2)", "1.234", "<null>!1.234"}, {"decimal(12,2)", "0.001", "<null>!0.001"}, {"decimal(12,2)", "1e3", "1000.00"},
		{"decimal(12,2)", "123e-2", "1.23"}, {"decimal(12,2)", "123e-3", "<null>!123e-3"}, {"decimal(12,2)", "1230e-3", "1.23"},
		{"decimal(12,2)", "9999999999.99", "9999999999.99"}, {"decimal(12,2)", "10000000000", "<null>!10000000000"},
		{"decimal(12,2)", "0000000000000000000001", "1.00"}, {"decimal(12,2)", "NaN", "<null>!NaN"}, {"decimal(12,2)", "", "<null>"},
		{"decimal(12,2)", "1e999999999999", "<null>!1e999999999999"}, {"decimal(12,2)", "0e999999999999", "0.00"}, {"decimal(12,2)", "1e-999999999999", "<null>!1e-999999999999"},
		{"decimal(2,2)", "0.99", "0.99"}, {"decimal(2,2)", "1", "<null>!1"}, {"decimal(18,0)", "-999999999999999999", "-999999999999999999"},
		{"decimal(38,0)", big38, big38}, {"decimal(38,0)", "-" + big38, "-" + big38}, {"decimal(38,0)", "1" + big38, "<null>!1" + big38},
		{"decimal(38,38)", "0." + big38, "0." + big38}, {"decimal(20,5)", "-1.5", "-1.50000"}, {"decimal(20,5)", "  ", "<null>"}, {"decimal(20,5)", "x", "<null>!x"},
		{"json", " {\"a\": [1, 2]}\n", "{\"a\": [1, 2]}"}, {"json", "1", "1"}, {"json", "\"<\"", "\"<\""}, {"json", "", "<null>"}, {"json", "null", "null"},
		{"json", "{", "<null>!{"}, {"json", "{a:1}", "<null>!{a:1}"}, {"json", "01", "<null>!01"}, {"json", "NaN", "<null>!NaN"}, {"json", "1 2", "<null>!1 2"},
		{"json", "\"\xff\"", "<null>!\"\xff\""}, {"json", "[1,]", "<null>![1,]"},
	} {
		// Once looked up in a memo, once cast row by row.
		for _, in := range [][]string{{c.in}, {c.in, "<null>", c.in, c.in, c.in, c.in}} {
			var dst Column
			src := texts(in...)
			got := shown(&dst, Cast(src, mustType(t, c.typ), &dst))
			for i, s := range in {
				want := c.want
				if s == "<null>" {
					want = "<null>"
				}
				if got[i] != want {
					t.Errorf("cast(%s, %q), row %d of %d = %q, want %q", c.typ, c.in, i, len(in), got[i], want)
				}
			}
		}
	}
}

var allTypes = []string{"string", "int64", "double", "boolean", "timestamp", "date", "decimal(12,2)", "decimal(18,0)", "decimal(3,3)",
	"decimal(38,10)", "json"}

// A cast is that of the text, whatever form the source has.
func TestNativeCastsAreThoseOfTheText(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	ints := &Column{Type: Type{ID: Int64}, Ints: []int64{0, 1, -1, 2, math.MaxInt64, math.MinInt64, 9999999999, 10000000000, 999999999999999999, 1e18}}
	floats := &Column{Type: Type{ID: Double}, Floats: []float64{0, math.Copysign(0, -1), 1, 2, 0.5, -0.125, 1e21, 1e22, 1 << 53, 1<<53 + 2, 1 << 62,
		1 << 63, -(1 << 63), math.NaN(), math.Inf(1), math.Inf(-1), 1e-7, 12.34, 9.999999999e9}}
	for range 2000 {
		ints.Ints = append(ints.Ints, int64(r.Uint64())>>r.IntN(64))
		floats.Floats = append(floats.Floats, math.Float64frombits(r.Uint64()), math.Ldexp(float64(r.IntN(1<<20)-1<<19), r.IntN(50)-5))
	}
	for _, src := range []*Column{ints, floats} {
		src.Null = make([]bool, src.Len())
		src.Null[3] = true
		asText := &Column{Dict: NewDict()}
		for i := range src.Len() {
			if src.IsNull(i) {
				asText.AppendNulls(1)
				continue
			}
			asText.AppendBytes(AppendText(nil, src, i))
		}
		for _, name := range allTypes {
			var native, viaText Column
			typ := mustType(t, name)
			got, want := shown(&native, Cast(src, typ, &native)), shown(&viaText, Cast(asText, typ, &viaText))
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s to %s: %q, by text %q", src.Type, name, got[i], want[i])
				}
			}
			// Bits count too: equal values must be stored equal.
			for i, f := range native.Floats {
				if g := viaText.Floats[i]; math.Float64bits(f) != math.Float64bits(g) {
					t.Errorf("%s to %s: bits %x, by text %x", src.Type, name, math.Float64bits(f), math.Float64bits(g))
				}
			}
		}
	}
}

// The forms that neither the decoder nor a cast of text gives in one step.
func TestCastsBetweenTypes(t *testing.T) {
	samples := texts("<null>", "1", "0", "2026-01-05", "1767614400123", "-0.5", "true", "{}", "12.25")
	for _, from := range allTypes {
		var src Column
		Cast(samples, mustType(t, from), &src)
		asText := texts(shown(&src, nil)...)
		for _, to := range allTypes {
			var got, want Column
			typ := mustType(t, to)
			g, w := shown(&got, Cast(&src, typ, &got)), shown(&want, Cast(asText, typ, &want))
			if !slices.Equal(g, w) {
				t.Errorf("%s to %s: %q, by text %q", from, to, g, w)
			}
		}
	}
}

func TestCastAppends(t *testing.T) {
	for _, name := range allTypes {
		typ := mustType(t, name)
		var dst Column
		var want []string
		for _, in := range [][]string{{"1", "0"}, {"<null>", "x\xff", "1"}, {}, {"0", "", "1"}} {
			src := texts(in...)
			for _, s := range in {
				var one Column
				want = append(want, strings.SplitN(shown(&one, Cast(texts(s), typ, &one))[0], "!", 2)[0])
			}
			for _, f := range Cast(src, typ, &dst) {
				if string(f.Text) != in[f.Row] {
					t.Errorf("%s: row %d failed with %q, want %q", name, f.Row, f.Text, in[f.Row])
				}
			}
		}
		for i, s := range want {
			want[i] = strings.SplitN(s, "~", 2)[0]
		}
		if got := shown(&dst, nil); !slices.Equal(got, want) || dst.Type != typ {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if dst.Null != nil && len(dst.Null) != dst.Len() {
			t.Errorf("%s: %d null marks for %d rows", name, len(dst.Null), dst.Len())
		}
	}
}

// The result must not change when the source's memory is used again.
func TestCastSharesNothing(t *testing.T) {
	for _, name := range []string{"string", "json", "decimal(38,2)"} {
		src := texts("1", "2", "1")
		var dst Column
		Cast(src, mustType(t, name), &dst)
		want := shown(&dst, nil)
		src.Reset()
		for range 3 {
			src.AppendBytes([]byte("other"))
		}
		if got := shown(&dst, nil); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// slowCast is the cast of a text by the book; ok is false for a failure.
func slowCast(s string, t Type) (text string, null, ok bool) {
	trimmed := string(bytes.TrimSpace([]byte(s)))
	if t.ID != String && trimmed == "" {
		return "", true, true
	}
	switch t.ID {
	case String:
		return strings.ToValidUTF8(s, "\uFFFD"), false, utf8.ValidString(s)
	case Int64:
		v, ok := slowInt(s)
		return strconv.FormatInt(v, 10), false, ok
	case Double:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || strings.ContainsAny(trimmed, "xX_pP") {
			return "", false, false
		}
		return string(AppendDouble(nil, f)), false, true
	case Boolean:
		v, ok := map[string]bool{"true": true, "t": true, "1": true, "false": false, "f": false, "0": false}[asciiLower(trimmed)]
		return strconv.FormatBool(v), false, ok
	case Timestamp, Date:
		ms, st := slowTimestamp(Rule{Type: t}, s)
		layout := "2006-01-02T15:04:05Z"
		if t.ID == Date {
			layout = "2006-01-02"
		} else if ms%1000 != 0 {
			layout = "2006-01-02T15:04:05.000Z"
		}
		return time.UnixMilli(ms).UTC().Format(layout), st == TimeNull, st != TimeBad
	case JSON:
		return trimmed, false, utf8.ValidString(trimmed) && json.Valid([]byte(trimmed))
	}
	return slowDecimal(trimmed, t)
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func slowDecimal(s string, t Type) (text string, null, ok bool) {
	if m := numberRule.FindStringSubmatch(s); m == nil || m[2]+m[3] == "" {
		return "", false, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false, false
	}
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)))
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)
	return r.FloatString(t.Scale), false, scaled.IsInt() && scaled.Num().CmpAbs(limit) < 0
}

// checkCast compares a cast with the book, and casts the result's text again.
func checkCast(t *testing.T, s, name string) {
	t.Helper()
	if longExponent.MatchString(s) {
		return
	}
	typ := mustType(t, name)
	if typ.ID == Decimal {
		checkRounding(t, s, typ)
	}
	want, null, ok := slowCast(s, typ)
	var dst, again Column
	fails := Cast(texts(s), typ, &dst)
	if (len(fails) == 0) != ok {
		t.Fatalf("cast(%s, %q): failures %+v, want ok = %v", name, s, fails, ok)
	}
	if !ok && (string(fails[0].Text) != s || fails[0].Kept != (typ.ID == String)) {
		t.Fatalf("cast(%s, %q): failure %+v", name, s, fails[0])
	}
	if isNull := null || !ok && typ.ID != String; dst.IsNull(0) != isNull {
		t.Fatalf("cast(%s, %q): null is %v, want %v", name, s, dst.IsNull(0), isNull)
	} else if isNull {
		return
	}
	got := AppendText(nil, &dst, 0)
	if string(got) != want {
		t.Fatalf("cast(%s, %q) = %q, want %q", name, s, got, want)
	}
	if fails := Cast(&dst, typ, &again); len(fails) > 0 || CompareValues(&dst, 0, &again, 0) != 0 {
		t.Fatalf("cast(%s, %q) of its own result: %q", name, s, shown(&again, fails))
	}
}

func TestCastsAgainstTheBook(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	parts := []string{"0", "1", "00", "99", "123456789", "-", "+", ".", "e", "E5", "e-3", " ", "\t", "true", "F", "nan", "Inf", "inity", "{", "}", "\"a\"",
		":", "[", "]", ",", "null", "\xff", "é", "\u00a0", "2026-01-05", "T10:00", "x", "_"}
	for range 40_000 {
		var sb strings.Builder
		for range r.IntN(6) {
			sb.WriteString(parts[r.IntN(len(parts))])
		}
		checkCast(t, sb.String(), allTypes[r.IntN(len(allTypes))])
	}
}

func FuzzCast(f *testing.F) {
	for i, s := range []string{"", "1", "-0.0", "1e21", "true", "NaN", "2026-01-05", "12.340", "{\"a\":[1,\"\\u00e9\"]}", "\xff", " x "} {
		f.Add(s, byte(i))
	}
	f.Fuzz(func(t *testing.T, s string, which byte) {
		if s == "<null>" {
			return
		}
		checkCast(t, s, allTypes[int(which)%len(allTypes)])
	})
}

// Equal doubles must be stored as equal bits.
func TestCastKnowsOneZero(t *testing.T) {
	for _, src := range []*Column{texts("-0", "-0.0e5", "-1e-400"), {Type: Type{ID: Double}, Floats: []float64{math.Copysign(0, -1)}}} {
		var dst Column
		Cast(src, Type{ID: Double}, &dst)
		for i, f := range dst.Floats {
			if math.Float64bits(f) != 0 {
				t.Errorf("row %d of %s is %x", i, src.Type, math.Float64bits(f))
			}
		}
	}
}

// A dictionary that has values but no rows yet keeps its codes.
func TestCastKeepsDict(t *testing.T) {
	dst := Column{Dict: NewDict()}
	before := dst.Dict.Add([]byte("before"))
	Cast(texts("a", "a"), Type{}, &dst)
	if string(dst.Dict.Value(before)) != "before" || string(dst.Bytes(1)) != "a" {
		t.Errorf("code %d is %q now", before, dst.Dict.Value(before))
	}
}

func TestBigDecimalForm(t *testing.T) {
	var dst Column
	Cast(texts("-1", "1"), mustType(t, "decimal(19,0)"), &dst)
	minus := bytes.Repeat([]byte{0xff}, 16)
	plus := binary.BigEndian.AppendUint64(make([]byte, 8), 1)
	if !bytes.Equal(dst.Bytes(0), minus) || !bytes.Equal(dst.Bytes(1), plus) {
		t.Errorf("-1 is %x, 1 is %x", dst.Bytes(0), dst.Bytes(1))
	}
}

func BenchmarkCast(b *testing.B) {
	const rows = 8192
	distinct, few, nums := &Column{Dict: NewDict()}, &Column{Dict: NewDict()}, &Column{Type: Type{ID: Int64}}
	for i := range rows {
		distinct.AppendBytes(fmt.Append(nil, 1767614400123+int64(i)*977))
		few.AppendBytes(fmt.Append(nil, 1767614400123+int64(i%100)))
		nums.AppendInt(1767614400123 + int64(i))
	}
	for _, c := range []struct {
		name string
		src  *Column
		typ  string
	}{
		{"distinct/int64", distinct, "int64"}, {"distinct/timestamp", distinct, "timestamp"}, {"distinct/double", distinct, "double"},
		{"distinct/decimal(38,2)", distinct, "decimal(38,2)"}, {"distinct/string", distinct, "string"}, {"distinct/json", distinct, "json"},
		{"few/timestamp", few, "timestamp"}, {"few/string", few, "string"}, {"few/json", few, "json"},
		{"native/timestamp", nums, "timestamp"}, {"native/string", nums, "string"},
	} {
		b.Run(c.name, func(b *testing.B) {
			typ := mustType(b, c.typ)
			var dst Column
			b.ReportAllocs()
			for b.Loop() {
				dst.Reset()
				if fails := Cast(c.src, typ, &dst); len(fails) > 0 {
					b.Fatal(fails[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
