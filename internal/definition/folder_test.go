package definition

import (
	"strings"
	"testing"
)

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
