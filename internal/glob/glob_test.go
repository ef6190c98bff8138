package glob

import "testing"

func TestPattern(t *testing.T) {
	cases := []struct {
		pattern  string
		literals int
		yes, no  []string
	}{
		{"*", 0, []string{"", "a", "é"}, nil},
		{"abc", 3, []string{"abc"}, []string{"ab", "abcd", "ABC"}},
		{"a*c", 2, []string{"ac", "abc", "abcbc"}, []string{"ab", "acb"}},
		{"*_email", 6, []string{"_email", "work_email", "_email_email"}, []string{"email", "_emails"}},
		{"?x", 1, []string{"ax", "éx", "\xffx"}, []string{"x", "aax"}},
		{"[a-cX]1", 1, []string{"a1", "b1", "c1", "X1"}, []string{"d1", "x1", "1"}},
		{"[!a-c]", 0, []string{"d"}, []string{"a", "", "dd"}},
		{"[^a]", 0, []string{"b"}, []string{"a"}},
		{"[]]", 0, []string{"]"}, []string{"["}},
		{"[*]", 0, []string{"*"}, []string{"a", ""}},
		{"[a-]", 0, []string{"a", "-"}, []string{"b"}},
		{"**a**", 1, []string{"a", "bab"}, []string{"b", ""}},
	}
	for _, c := range cases {
		p := Pattern(c.pattern)
		if err := p.Check(); err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if p.Literals() != c.literals {
			t.Errorf("%q has %d literal characters, want %d", c.pattern, p.Literals(), c.literals)
		}
		if p.IsGlob() != (c.pattern != "abc") {
			t.Errorf("%q is a glob: %v", c.pattern, p.IsGlob())
		}
		for _, s := range c.yes {
			if !p.Match(s) {
				t.Errorf("%q does not match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if p.Match(s) {
				t.Errorf("%q matches %q", c.pattern, s)
			}
		}
	}
	for _, bad := range []string{"", "[", "a[b", "[z-a]", "[]", "[!]"} {
		if err := Pattern(bad).Check(); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
