package structure

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented lists the packages that tables of a page have in their first column.
func documented(page string) []string {
	var names []string
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || cells[0] != "" {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z0-9/]+)`").FindAllStringSubmatch(cells[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// undocumented says which packages the tables of a page lack, name twice, or name though
// there are none of that name.
func undocumented(page string, packages []string) []string {
	var wrong []string
	names := documented(page)
	for i, name := range names {
		switch {
		case !slices.Contains(packages, name):
			wrong = append(wrong, name+" is no package")
		case slices.Contains(names[:i], name):
			wrong = append(wrong, name+" is named twice")
		}
	}
	for _, p := range packages {
		if !slices.Contains(names, p) {
			wrong = append(wrong, p+" is missing")
		}
	}
	return wrong
}

// TestPackagesAreDocumented holds the tables of the architecture page against the list of
// packages.
func TestPackagesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n### Packages\n")
	tables, _, _ := strings.Cut(rest, "\n## ")
	for _, wrong := range undocumented(tables, layers) {
		t.Errorf("docs/architecture.md, packages: %s", wrong)
	}
}

func TestUndocumented(t *testing.T) {
	const page = "Text of `d`.\n\n| package | subject |\n|---|---|\n| `a`, `b/c` | says `x` |\n"
	for _, c := range []struct {
		packages string
		want     []string
	}{
		{"a b/c", nil},
		{"a b/c d", []string{"d is missing"}},
		{"a", []string{"b/c is no package"}},
	} {
		if got := undocumented(page, strings.Fields(c.packages)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.packages, got, c.want)
		}
	}
	if got := undocumented(page+"| `a` | again |\n", []string{"a", "b/c"}); !slices.Equal(got, []string{"a is named twice"}) {
		t.Errorf("twice: %q", got)
	}
}
