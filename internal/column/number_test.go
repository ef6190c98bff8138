package column

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strconv"
	"testing"
)

var idRule = regexp.MustCompile(`^-?[0-9]+$`)

// slowInt is parseInt by the book.
func slowInt(s string) (int64, bool) {
	s = string(bytes.TrimSpace([]byte(s)))
	if !idRule.MatchString(s) {
		return 0, false
	}
	v, err := strconv.ParseInt(s, 10, 64)
	return v, err == nil
}

func TestParseInt(t *testing.T) {
	for _, s := range []string{"", " ", "-", "0", "-0", "00", "7", "-7", "+7", " 42 ", "\t42\r\n", "\u00a042", "4 2",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"9999999999999999999", "-9999999999999999999", "18446744073709551616", "99999999999999999999",
		"000000000000000000000000000007", "-000000000000000000000000000007", "00000000000000000000000000000x",
		"1.0", "1e3", "0x10", "1_000", "12a", "a12", "--1", "٣", "\xff", "12\x00"} {
		want, wantOK := slowInt(s)
		got, ok := parseInt([]byte(s))
		if ok != wantOK || ok && got != want {
			t.Errorf("ParseInt(%q) = %d, %v; want %d, %v", s, got, ok, want, wantOK)
		}
	}
}

func TestParseIntAgainstStrconv(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := "0123456789012345678901234567890123456789-+ .e"
	for range 200_000 {
		b := make([]byte, r.IntN(23))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		if r.IntN(2) == 0 {
			b = strconv.AppendInt(nil, int64(r.Uint64()), 10)
		}
		want, wantOK := slowInt(string(b))
		if got, ok := parseInt(b); ok != wantOK || ok && got != want {
			t.Fatalf("ParseInt(%q) = %d, %v; want %d, %v", b, got, ok, want, wantOK)
		}
	}
}

func TestParsersDoNotAllocate(t *testing.T) {
	id, num, iso := []byte(" 1234567890123 "), []byte("1700000000123.999"), []byte("2026-01-05 10:00:00.123 UTC")
	buf := make([]byte, 0, 64)
	var ok bool
	var st TimeStatus
	var o outcome
	for name, f := range map[string]func(){
		"ParseInt":           func() { _, ok = parseInt(id) },
		"ParseTimestamp":     func() { _, st = event.ParseTimestamp(num) },
		"ParseTimestamp ISO": func() { _, st = event.ParseTimestamp(iso) },
		"a rounded decimal": func() {
			_, _, o = Rule{Type: Type{ID: Decimal, Precision: 12, Scale: 2}, HalfEven: true}.scanDecimal(num)
		},
		"AppendDouble":        func() { buf = AppendDouble(buf[:0], 1.5e-9) },
		"AppendTimestampText": func() { buf = AppendTimestampText(buf[:0], 1767607200, 123e6) },
		"AppendDecimalInt":    func() { buf = appendDecimalInt(buf[:0], -12345, 2) },
		"AppendDecimal":       func() { buf = AppendDecimal(buf[:0], iso[:16], 2) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if !ok || st != TimeOK || o == castUnknown {
		t.Error("nothing was parsed")
	}
}

func BenchmarkParseInt(b *testing.B) {
	v := []byte("4511293847561029")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parseInt(v); !ok {
			b.Fatal("not an integer")
		}
	}
}
