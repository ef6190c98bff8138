package structure

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure are packages of functions on values. What they import of the module must be pure,
// too.
var pure = []string{"engine/rules"}

// impure are packages of the standard library that pure ones have no use for: those that
// read, write, wait, or share memory between goroutines.
var impure = []string{"bufio", "context", "io", "log", "net", "os", "path/filepath", "sync", "syscall"}

// impurities returns what in a package is not pure: imports, and what starts goroutines
// or passes values between them.
func impurities(s *source) []string {
	var found []string
	for _, f := range s.files {
		for _, i := range f.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if isImpure(path) {
				found = append(found, "import of "+path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if what := concurrent(n); what != "" {
				found = append(found, fmt.Sprintf("%s in %s", what, s.fset.Position(n.Pos())))
			}
			return true
		})
	}
	return found
}

// isImpure reports whether a package is none for pure ones.
func isImpure(path string) bool {
	return slices.ContainsFunc(impure, func(root string) bool { return below(path, root) })
}

// concurrent says what a node has to do with goroutines, empty if nothing.
func concurrent(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "goroutine"
	case *ast.ChanType:
		return "channel"
	case *ast.SelectStmt:
		return "select"
	case *ast.SendStmt:
		return "send"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "receive"
		}
	}
	return ""
}

func TestImpurities(t *testing.T) {
	for text, want := range map[string]int{
		"func f(x []int) int { return len(x) }":                     0,
		"func f() { go f() }":                                       1,
		"type t struct{ c chan int }":                               1,
		"func f(c t) { c <- 1; <-c; select {} }\ntype t = chan int": 4,
	} {
		if got := impurities(fake(t, "-- a\n"+text+"\n")); len(got) != want {
			t.Errorf("%s: %q", text, got)
		}
	}
	for path, want := range map[string]bool{"os": true, "os/exec": true, "sync/atomic": true, "io/fs": true, "strings": false, "iter": false, "encoding/json": false} {
		if isImpure(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// TestPure holds the pure packages, and what they import of the module, against this.
func TestPure(t *testing.T) {
	all := sources(t)
	imports := graph{}
	for path, s := range all {
		for _, p := range s.pkg.Imports() {
			if own, ok := strings.CutPrefix(p.Path(), module); ok {
				imports[path] = append(imports[path], own)
			}
		}
	}
	for _, path := range pure {
		if all[path] == nil {
			t.Errorf("%s is not in the module", path)
			continue
		}
		tree := imports.reach(path)
		tree[path] = true
		for p := range tree {
			for _, what := range impurities(all[p]) {
				t.Errorf("%s: %s", p, what)
			}
		}
	}
}
