package dump

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzScanner compares the scanner with the standard library: what it accepts
// and what strings it reads.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, ` [1, -0.5e+7, "a\u00e9\ud83d\ude00\ud800x\n", true, false, null, {"a":{"b":[]}}] `,
		`01`, `-`, `1.`, `1e`, `"\x"`, `"\u12g4"`, `"`, `"\`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`,
		`tru`, `nulll`, "\"\x01\"", "\"\\u12\x10\"", `{"a":1}}`, "", " ", "\x00", `"\ud800\u0041"`, `"\ud800\ud83d\ude00"`, `[[[[`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.Count(s, "[")+strings.Count(s, "{") >= maxDepth {
			return
		}
		p := &scanner{s: s}
		err := p.skip()
		if err == nil && !p.end() {
			err = p.fail("more")
		}
		if valid := json.Valid([]byte(s)); valid != (err == nil) {
			t.Fatalf("%q: valid is %v, the scanner says %v", s, valid, err)
		}
		var want string
		if err == nil && json.Unmarshal([]byte(s), &want) == nil && strings.TrimSpace(s) != "null" {
			p := &scanner{s: s}
			if got, err := p.text(); err != nil || got != want {
				t.Fatalf("%q: read %q, %v; want %q", s, got, err, want)
			}
		}
	})
}

func TestScannerDepth(t *testing.T) {
	ok := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if err := (&scanner{s: ok}).skip(); err != nil {
		t.Error(err)
	}
	if err := (&scanner{s: strings.Repeat("[", 10_000_000)}).skip(); err == nil || !strings.Contains(err.Error(), "too deeply") {
		t.Errorf("got %v", err)
	}
}

func TestCutTextIsToldFromWrongText(t *testing.T) {
	whole := `{"dump_id":12,"x":[true,false,null,-1.5e3,"a\u00e9\n"],"tables":[]}`
	if err := (&scanner{s: whole}).skip(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(whole); n++ {
		if err := (&scanner{s: whole[:n]}).skip(); err != errCut {
			t.Errorf("%s: %v", whole[:n], err)
		}
	}
}
