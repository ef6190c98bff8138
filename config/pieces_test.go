package config

import (
	"strings"
	"testing"

	"reconcile/internal/column"
)

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
		p, err := parsePattern(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if p.literals != c.literals {
			t.Errorf("%q has %d literal characters, want %d", c.pattern, p.literals, c.literals)
		}
		for _, s := range c.yes {
			if !p.match(s) {
				t.Errorf("%q does not match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if p.match(s) {
				t.Errorf("%q matches %q", c.pattern, s)
			}
		}
	}
	for _, bad := range []string{"", "[", "a[b", "[z-a]", "[]", "[!]"} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestFolder(t *testing.T) {
	for name, want := range map[string]string{
		"checkout": "checkout", "_x": "_x", "a.b-c_D9": "a.b-c_D9",
		"a b": "a%20b", "a/b": "a%2Fb", "..": "%2E.", ".hidden": "%2Ehidden", "-x": "%2Dx", "50%": "50%25", "é": "%C3%A9",
		"con": "%63on", "NUL.txt": "%4EUL.txt", "com1": "%63om1", "LPT9.a.b": "%4CPT9.a.b", "COM": "COM", "com10": "com10", "console": "console",
		"a=b": "a%3Db", "\x00": "%00", strings.Repeat("x", 200): strings.Repeat("x", 200),
	} {
		if got := EncodeFolder(name); got != want {
			t.Errorf("folder of %q is %q, want %q", name, got, want)
		}
		if back, ok := DecodeFolder(want); !ok || back != name {
			t.Errorf("folder %q decodes to %q, %v", want, back, ok)
		}
	}
	long := EncodeFolder(strings.Repeat("x", 201))
	wide := EncodeFolder(strings.Repeat("é", 150))
	if len(long) > 200 || len(wide) > 200 || long == EncodeFolder(strings.Repeat("x", 202)) {
		t.Errorf("long names: %q, %q", long, wide)
	}
	for _, bad := range []string{"", "a%", "a%2", "a%zz", "a%2f", "%41", "a b", "CON", long, wide} {
		if name, ok := DecodeFolder(bad); ok {
			t.Errorf("%q decodes to %q", bad, name)
		}
	}
}

func FuzzFolder(f *testing.F) {
	for _, s := range []string{"", "a", "CON", "a/../b", strings.Repeat("%", 80)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		folder := EncodeFolder(name)
		if name == "" {
			return
		}
		if folder == "" || len(folder) > maxFolder || strings.ContainsAny(folder, "/\\ ") || folder[0] == '.' {
			t.Errorf("folder of %q is %q", name, folder)
		}
		if back, ok := DecodeFolder(folder); ok != !strings.Contains(folder, cutMark) || ok && back != name {
			t.Errorf("folder %q of %q decodes to %q, %v", folder, name, back, ok)
		}
	})
}

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1GiB": 1 << 30, "512MiB": 512 << 20, "800MB": 800e6, "67108864": 64 << 20, "1.5 KiB": 1536, " 2 tb ": 2e12, "10b": 10, "1kb": 1000, "0": 0,
	} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", s, got, err, want)
		}
	}
	for _, bad := range []string{"", "GiB", "1G", "1XB", "-1MiB", "1e9", "1.2.3MB", "99999999TiB", "1 GiB GiB", "1/2MB", "é"} {
		if got, err := parseSize(bad); err == nil {
			t.Errorf("%q was taken for %d", bad, got)
		}
	}
}

func TestPartitionText(t *testing.T) {
	for _, p := range []Partition{
		{}, {"time", UnitYear}, {"time", UnitMonth}, {"joindate", UnitDay}, {"at", UnitHour}, {"at", UnitDate},
		{"weird \"col\" ${x} %{ \\ ), month(y", UnitMonth}, {"tab\tnew\n", UnitDate}, {"é", UnitDate},
	} {
		got, err := ParsePartition(p.String())
		if err != nil || got != p {
			t.Errorf("%v is written %q and read as %v, %v", p, p.String(), got, err)
		}
	}
	for name, want := range map[string]string{"SeenAt": "date(seenat)", "Time": "date(time_)", "TIME_": "date(time__)"} {
		if got := (Partition{name, UnitDate}).String(); got != want {
			t.Errorf("canonical text is %q instead of %q", got, want)
		}
	}
	for _, bad := range []string{"time", "year(time) month(time)", "month(time)", "year(time), date(time)", "year(time, x)", "year(\"${x}\")", "year(time)]", "year(\"\")", "1"} {
		if p, err := ParsePartition(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"checkout", "pageviews", "lake", "a"}
	for given, want := range map[string]string{"chekout": "checkout", "Lake": "lake", "pageview": "pageviews", "zzz": "", "b": "a", "xy": ""} {
		if got := Nearest(given, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", given, got, want)
		}
	}
}

func TestNaturalType(t *testing.T) {
	for name, want := range map[string]column.TypeID{"user_id": column.Int64, "USER_ID": column.String, "time": column.Timestamp, "Time": column.String, "session_time": column.String} {
		if got := naturalType(name).ID; got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
}
