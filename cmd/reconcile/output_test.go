package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/internal/plain"
)

// isConstant reports whether an expression is made of literals alone.
func isConstant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.BinaryExpr:
		return isConstant(e.X) && isConstant(e.Y)
	}
	return false
}

// Nothing is printed but constants and what say escapes: the invariant of output.go.
func TestOnlySayPrints(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]int{"say": 1, "printf": 0, "record": 2} // where the format stands
	pass := []string{"text.go", "log.go"}                         // hands formats on
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "output.go" {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun := ""
			switch x := call.Fun.(type) {
			case *ast.Ident:
				fun = x.Name
			case *ast.SelectorExpr:
				fun = x.Sel.Name
				if p, ok := x.X.(*ast.Ident); ok && p.Name == "fmt" && (strings.HasPrefix(fun, "Print") ||
					strings.HasPrefix(fun, "Fprint") && slices.ContainsFunc(call.Args[1:], func(e ast.Expr) bool { return !isConstant(e) })) {
					t.Errorf("%s: use say, which escapes what it is given", fset.Position(call.Pos()))
				}
			}
			at, ok := formats[fun]
			if !ok || len(call.Args) <= at || slices.Contains(pass, name) && !isConstant(call.Args[at]) && call.Ellipsis.IsValid() {
				return true
			}
			found++
			if !isConstant(call.Args[at]) {
				t.Errorf("%s: the format of %s is not a constant", fset.Position(call.Pos()), fun)
			}
			return true
		})
	}
	if found < 50 {
		t.Errorf("only %d formats found", found)
	}
}

func TestOutputEscapes(t *testing.T) {
	var b bytes.Buffer
	o := newOutput(&b)
	say(o, "%s %s\n", "a\n::x\x1b[31m", style(true).red("b\x1b"))
	if _, err := o.Write([]byte("forgotten\x1b[2J\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	want := `a\n::x\u001b[31m ` + "\x1b[31m" + `b\u001b` + "\x1b[0m\n" + `forgotten\u001b[2J\r` + "\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	if stream(plain.Writer{W: &b}) != nil {
		t.Error("a buffer is no file")
	}
}
