package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lookUp is the last word of a call that looks an environment variable up.
var lookUp = regexp.MustCompile(`^(Getenv|LookupEnv|getenv|Env|env)$`)

// helper begins the paths of what is in no program that users run.
var helper = regexp.MustCompile(`(_test\.go$|^bench/|^examples/|^internal/blob/(s3test|blobtest)/|^engine/exectest/|^state/internal/statetest/)`)

// ofTheConfiguration is the one look-up whose name the configuration gives.
const ofTheConfiguration = "config/funcs.go"

// TestEnvironmentIsDocumented holds every look-up of an environment variable in
// the repository against the page.
func TestEnvironmentIsDocumented(t *testing.T) {
	program, tests := map[string]bool{}, map[string]bool{}
	eachFolder(t, func(files map[string]*ast.File) {
		constants := constantsOf(files)
		for path, f := range files {
			for _, arg := range lookUps(t, path, f) {
				name, known := textOf(arg, constants)
				switch {
				case helper.MatchString(path):
					if strings.HasPrefix(name, "RECONCILE_") {
						tests[name] = true
					}
				case !known && path != ofTheConfiguration:
					t.Errorf("%s looks up a variable whose name nobody can tell", path)
				case known:
					program[name] = true
				}
			}
		}
	})
	page := section(readPage(t, "docs/commands.md"), "## Environment")
	ours, theirs, ok := strings.Cut(page, "### Of the tests\n")
	if !ok {
		t.Fatal("the page does not tell the variables of the tests apart")
	}
	same(t, "environment variables", slices.Collect(maps.Keys(program)), variables(ours))
	same(t, "environment variables of the tests", slices.Collect(maps.Keys(tests)), variables(theirs))
}

// variables are the names in the first cells of the tables of a text.
func variables(text string) []string {
	var out []string
	for _, cell := range firstCells(text) {
		for name := range strings.SplitSeq(cell, "`, `") {
			out = append(out, name)
		}
	}
	return out
}

// eachFolder passes the Go files of the repository on, folder by folder, by their paths.
func eachFolder(t *testing.T, do func(files map[string]*ast.File)) {
	t.Helper()
	root := filepath.Join("..", "..")
	folders := map[string]map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if folders[dir] == nil {
			folders[dir] = map[string]*ast.File{}
		}
		folders[dir][filepath.ToSlash(rel)] = f
		return nil
	})
	if err != nil || len(folders) < 20 {
		t.Fatal("this is not the repository", err)
	}
	for _, files := range folders {
		do(files)
	}
}

// lookUps returns the arguments of all look-ups in a file. The program is not to
// use what reads variables in other ways.
func lookUps(t *testing.T, path string, f *ast.File) (args []ast.Expr) {
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && !helper.MatchString(path) {
			switch name := fmt.Sprint(sel.X) + "." + sel.Sel.Name; name {
			case "os.Environ", "os.ExpandEnv", "os.UserHomeDir", "os.UserCacheDir", "os.UserConfigDir", "os.TempDir", "syscall.Getenv", "syscall.Environ":
				t.Errorf("%s uses %s: look single variables up, by their names", path, name)
			}
		}
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		if lookUp.MatchString(calledName(call)) {
			args = append(args, call.Args[0])
		}
		return true
	})
	return args
}

// calledName is the name of the function or method that a call is of.
func calledName(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}

// constantsOf returns the text constants of a package.
func constantsOf(files map[string]*ast.File) map[string]string {
	out := map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			for i := 0; ok && i < len(spec.Names) && i < len(spec.Values); i++ {
				if text, known := textOf(spec.Values[i], nil); known {
					out[spec.Names[i].Name] = text
				}
			}
			return true
		})
	}
	return out
}

// textOf returns the value of an expression; a constant with something behind it
// is the beginning of many names.
func textOf(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		text, ok := constants[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		text, ok := textOf(e.X, constants)
		return text + "<name>", ok && e.Op == token.ADD
	}
	return "", false
}

// TestCIIsBare checks that CI runs tests, examples and readers without the
// environment of its machine, and README.md's commands as they stand there.
func TestCIIsBare(t *testing.T) {
	tests := regexp.MustCompile(`^go test\b|^go run \./examples|^"\$work/(reconcile|readercheck)"|^"\$(old_)?(venv|dir)/bin/python"`)
	bare := 0
	for _, script := range []string{".ci/run", ".ci/readers"} {
		for line := range strings.Lines(readPage(t, script)) {
			command := strings.TrimSpace(line)
			if tests.MatchString(command) {
				t.Errorf("%s: %s: this machine's environment can decide about it", script, command)
			}
			if strings.HasPrefix(command, "bare ") || strings.HasPrefix(command, ".ci/bare ") {
				bare++
			}
		}
	}
	if bare < 8 {
		t.Errorf("only %d commands run in a bare environment", bare)
	}
	for _, command := range regexp.MustCompile(`(?m)^go (?:run|test) [./a-z]+`).FindAllString(readPage(t, "README.md"), -1) {
		if !strings.Contains(readPage(t, ".ci/run"), "\nbare "+command+" ") {
			t.Errorf("CI does not run %s as README.md has it", command)
		}
	}
}
