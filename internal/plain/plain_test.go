package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"checkout", "checkout"},
		{"a\nNo changes", `a\nNo changes`},
		{"a\r\tb", `a\r\tb`},
		{"\x1b[31mred\x1b[0m", `\u001b[31mred\u001b[0m`},
		{"\x00\x7f", `\u0000\u007f`},
		{"\u0085\u009b31m", `\u0085\u009b31m`},
		{"\u202egnp.exe", `\u202egnp.exe`},
		{"\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		{"a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"zero\u200bwidth\ufeff\u00ad\u2060", `zero\u200bwidth\ufeff\u00ad\u2060`},
		{"\U000e0041", `\U000e0041`},
		{"\xff\xc2", `\xff\xc2`},
		{"�", "�"},
		{"::error::x", `\u003a:error::x`},
		{"  ::error::x", `  \u003a:error::x`},
		{"\u0085::error::x", `\u0085\u003a:error::x`},
		{"a::b", "a::b"},
		{"##vso[task.complete]", `#\u0023vso[task.complete]`},
		{"a ##[error]", `a #\u0023[error]`},
		{"###", `#\u0023\u0023`},
		{"#1", "#1"},
		{`C:\new "x"`, `C:\new "x"`},
		{"Prix €, café, 注文, 🛒, 👩‍👩‍👧, 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f, می\u200cخواهم", "Prix €, café, 注文, 🛒, 👩‍👩‍👧, 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f, می\u200cخواهم"},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// What forges a line with any argument is escaped; what the program says is not.
func TestSprintf(t *testing.T) {
	bad := "x\n::error::\x1b[31m"
	want := `x\n::error::\u001b[31m`
	got := Sprintf("%s|%v|%v|%v|%d|%5.1f|%-4s|%s\n", bad, fmt.Errorf("%s", bad), []string{bad}, struct{ s string }{bad}, 7, 1.25, "a", Trusted("\x1b[1mbold\x1b[0m"))
	if want := want + "|" + want + "|[" + want + "]|{" + want + "}|7|  1.2|a   |\x1b[1mbold\x1b[0m\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	args := []any{bad}
	Wrap(args)
	Wrap(args)
	if got := Sprintf("%s", args...); got != want {
		t.Errorf("wrapped three times: %q", got)
	}
	if got := Sprintf("%q", "##vso[x]\u202e"); got != `"#\u0023vso[x]\u202e"` {
		t.Errorf("quoted: %s", got)
	}
}

func TestWriter(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a\tb\nc\n", "a\tb\nc\n"},
		{"\x1b[1;31mred\x1b[0m\n", "\x1b[1;31mred\x1b[0m\n"},
		{"\x1b[2J\x1b]0;title\x07\x1b[31", `\u001b[2J\u001b]0;title\u0007\u001b[31`},
		{"a\rb\u009b\u202e\xffé�🛒\n", `a\rb\u009b\u202e\xffé�🛒` + "\n"},
	} {
		var b bytes.Buffer
		if n, err := (Writer{&b}).Write([]byte(c.in)); n != len(c.in) || err != nil || b.String() != c.want {
			t.Errorf("%q: wrote %d, %v, %q; want %q", c.in, n, err, b.String(), c.want)
		}
	}
}

// harmless fails if a text could do anything but be read as part of a line.
func harmless(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) || strings.Contains(s, "##") || strings.HasPrefix(strings.TrimSpace(s), "::") {
		t.Errorf("%q is not plain", s)
	}
	flag := false
	for _, r := range s {
		flag = r == 0x1f3f4 || flag && r >= 0xe0020 && r <= 0xe007f
		bad := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
		if bad && !flag && r != 0x200c && r != 0x200d {
			t.Errorf("%q has %U", s, r)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"x", "a\n\x1b[31m", "\u202e##vso[", " ::error::", "\xff🏴\U000e0067\U000e007f\U000e0041", "#", "\u2028#\u061c##"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		harmless(t, got)
		if again := Text(got); again != got {
			t.Errorf("Text(%q) is %q, and Text of that %q", s, got, again)
		}
		if line := Sprintf("%s %v", s, []any{s}); strings.ContainsAny(line, "\n\r\x1b") {
			t.Errorf("%q breaks a line: %q", s, line)
		}
		encoded, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		same := JSON(encoded)
		harmless(t, string(same))
		var want, have map[string]string
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(same, &have); err != nil || fmt.Sprint(want) != fmt.Sprint(have) {
			t.Errorf("%q became %q (%v)", encoded, same, err)
		}
	})
}
