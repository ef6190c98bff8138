package structure

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repository is where this module lies, seen from the package.
var repository = filepath.Join("..", "..")

// TestCommandsNameTests checks that what CI runs, and what the documentation says to run,
// are tests that exist: go test is content with a pattern that none matches.
func TestCommandsNameTests(t *testing.T) {
	var files []string
	for _, pattern := range []string{".ci/*", "docs/*.md", "README.md"} {
		list, err := filepath.Glob(filepath.Join(repository, filepath.FromSlash(pattern)))
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(list), err)
		}
		files = append(files, list...)
	}
	found, tests := 0, testNames{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range testCommands(file, string(text)) {
			found++
			for _, fault := range c.faults(t, tests) {
				t.Errorf("%s: %s", file, fault)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands with a pattern of tests were found", found)
	}
}

// TestCommandsThatNameNoTest is about the test above.
func TestCommandsThatNameNoTest(t *testing.T) {
	const page = "Run `go test ./internal/structure -v -run\n'TestOutOfOrder|TestGone/x' -n 3`, or:\n\n" +
		"```sh\ngo test ./internal/structure -run TestOutOfOrder\nA=b go test ./internal/structure -bench Order >x\n```\n"
	const script = "bare go test ./internal/structure ./internal/blob \\\n  -run '^(TestOutOfOrder|TestFolders.*Go$)'\n" +
		"go test ./internal/blob ./internal/structure -run=TestOutOfOrder | tee x -run no\ngo test ./internal/structure\n"
	for _, c := range []struct {
		file, text string
		want       []string
	}{
		{"page.md", page, []string{"-run TestGone matches nothing", "-bench Order matches nothing"}},
		{"script", script, []string{"-run TestOutOfOrder matches nothing in ./internal/blob"}},
	} {
		var got []string
		for _, command := range testCommands(c.file, c.text) {
			got = append(got, command.faults(t, testNames{})...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.file, got, c.want)
		}
	}
}

// testCommand is a call of go test with a pattern.
type testCommand struct {
	packages []string // as they are written, with ./
	flag     string   // -run or -bench
	pattern  string
}

// inline finds code in a paragraph of Markdown, which may be broken between lines.
var inline = regexp.MustCompile("`([^`]+)`")

// testCommands returns the calls of go test in a page or a script.
func testCommands(file, text string) []testCommand {
	var lines []string
	if filepath.Ext(file) == ".md" {
		for i, part := range strings.Split(text, "```") {
			if i%2 == 1 {
				lines = append(lines, strings.Split(part, "\n")...)
				continue
			}
			for _, m := range inline.FindAllStringSubmatch(part, -1) {
				lines = append(lines, m[1])
			}
		}
	} else {
		lines = strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n")
	}
	var found []testCommand
	for _, line := range lines {
		if _, args, ok := strings.Cut(line, "go test "); ok {
			if c := parseTestCommand(args); c.pattern != "" {
				found = append(found, c)
			}
		}
	}
	return found
}

// word is one of a shell's, perhaps with a part in quotes.
var word = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// parseTestCommand reads the arguments of go test, up to a pipe or a redirection.
func parseTestCommand(args string) testCommand {
	var c testCommand
	words := word.FindAllString(args, -1)
	for i, w := range words {
		name, value, given := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(w, "|") || strings.HasPrefix(w, ">"):
			return c
		case strings.HasPrefix(w, "./"):
			c.packages = append(c.packages, w)
		case name == "-run" || name == "-bench":
			if !given && i+1 < len(words) {
				value = words[i+1]
			}
			c.flag, c.pattern = name, strings.Trim(value, `'"`)
		}
	}
	return c
}

// faults says which of the alternatives of a pattern match nothing, and in which of several
// packages none does.
func (c testCommand) faults(t *testing.T, tests testNames) []string {
	t.Helper()
	anchor, all := "", c.pattern
	if rest, ok := strings.CutPrefix(all, "^("); ok {
		anchor, all = "^", strings.TrimSuffix(strings.TrimSuffix(rest, "$"), ")")
	}
	kinds := kindsOf[c.flag]
	var faults []string
	matched := map[string]bool{}
	for alternative := range strings.SplitSeq(all, "|") {
		top, _, _ := strings.Cut(alternative, "/") // behind it are subtests
		re, err := regexp.Compile(anchor + top)
		if err != nil {
			t.Fatalf("%s: %v", c.pattern, err)
		}
		found := false
		for _, p := range c.packages {
			if slices.ContainsFunc(tests.in(t, p), func(name string) bool { return kinds.MatchString(name) && re.MatchString(name) }) {
				found, matched[p] = true, true
			}
		}
		if !found {
			faults = append(faults, fmt.Sprintf("%s %s matches nothing", c.flag, top))
		}
	}
	for _, p := range c.packages {
		if !matched[p] && len(c.packages) > 1 {
			faults = append(faults, fmt.Sprintf("%s %s matches nothing in %s", c.flag, c.pattern, p))
		}
	}
	return faults
}

// kindsOf are the functions that the patterns of a flag are about.
var kindsOf = map[string]*regexp.Regexp{
	"-run":   regexp.MustCompile("^(Test|Example|Fuzz)"),
	"-bench": regexp.MustCompile("^Benchmark"),
}

// testNames are the names of the functions in the tests of packages, as far as somebody
// asked for them.
type testNames map[string][]string

// in returns those of a package.
func (n testNames) in(t *testing.T, pkg string) []string {
	t.Helper()
	if names, ok := n[pkg]; ok {
		return names
	}
	files, err := filepath.Glob(filepath.Join(repository, filepath.FromSlash(pkg), "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", pkg, err)
	}
	var names []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names = append(names, fn.Name.Name)
			}
		}
	}
	n[pkg] = names
	return names
}
