package main

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconcile/engine/inspect"
	"reconcile/engine/report"
	"reconcile/internal/notify"
	"reconcile/internal/promtext"
	"reconcile/sinks"
)

// texts returns the string literals below a node.
func texts(n ast.Node) []string {
	var out []string
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value) // the compiler took it
			out = append(out, s)
		}
		return true
	})
	return out
}

// argumentsAndBlocks finds the names that the configuration's code reads: the
// lists required, optional and blocks of a schema, lists called ...Args, and the
// types of block headers.
func argumentsAndBlocks(f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if strings.HasSuffix(n.Names[0].Name, "Args") && len(n.Values) == len(n.Names) {
				for _, v := range n.Values {
					out = append(out, texts(v)...)
				}
			}
		case *ast.KeyValueExpr:
			key, _ := n.Key.(*ast.Ident)
			switch {
			case key == nil:
			case key.Name == "required" || key.Name == "optional":
				out = append(out, texts(n.Value)...)
			case key.Name == "Type":
				if lit, ok := n.Value.(*ast.BasicLit); ok {
					out = append(out, texts(lit)...)
				}
			}
		}
		return true
	})
	return out
}

// functionNames finds the functions that expressions can call.
func functionNames(f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			m, ok := n.Type.(*ast.MapType)
			if !ok {
				return true
			}
			sel, _ := m.Value.(*ast.SelectorExpr)
			_, ofTexts := m.Value.(*ast.FuncType)
			if sel != nil && sel.Sel.Name == "Function" || ofTexts {
				for _, e := range n.Elts {
					out = append(out, texts(e.(*ast.KeyValueExpr).Key)...)
				}
			}
		case *ast.IndexExpr:
			if id, ok := n.X.(*ast.Ident); ok && id.Name == "fs" {
				out = append(out, texts(n.Index)...)
			}
		}
		return true
	})
	return out
}

// The page about reading has every field of current.json.
func TestCurrentIsDocumented(t *testing.T) {
	code := map[string]string{}
	fields(reflect.TypeFor[sinks.Current](), "", code)
	fields(reflect.TypeFor[sinks.CurrentTable](), "", code)
	delete(code, "tables") // which the example shows
	page := section(readPage(t, "docs/reading.md"), "## What a reader sees while an apply runs")
	same(t, "fields of current.json", slices.Collect(maps.Keys(code)), firstCells(page))
	_, example, _ := strings.Cut(page, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	dec := json.NewDecoder(strings.NewReader(example))
	dec.DisallowUnknownFields()
	var c sinks.Current
	if err := dec.Decode(&c); err != nil || len(c.Tables) == 0 {
		t.Errorf("the example is read as %+v, %v", c, err)
	}
}

// Every argument, block and function of the configuration is in its page, and
// the page's list of functions holds no other.
func TestConfigurationIsDocumented(t *testing.T) {
	page := readPage(t, "docs/configuration.md")
	names, funcs := map[string]bool{}, map[string]bool{}
	for _, f := range sources(t, "../../config") {
		for _, n := range argumentsAndBlocks(f) {
			names[n] = true
		}
		for _, n := range functionNames(f) {
			funcs[n] = true
		}
	}
	if len(names) < 40 || len(funcs) < 50 || !names["partition_by"] || !names["skip_dump"] || !funcs["env"] {
		t.Fatalf("the code seems to have only %d names and %d functions", len(names), len(funcs))
	}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if !regexp.MustCompile("`[^`\n]*\\b" + n + "\\b[^`\n]*`").MatchString(page) {
			t.Errorf("docs/configuration.md does not explain %s", n)
		}
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| \\w[\\w ]* \\| `([^|]*)` *:?[^|]*\\|$").FindAllStringSubmatch(section(page, "## Expressions"), -1) {
		for _, n := range strings.Fields(row[1]) {
			listed = append(listed, strings.TrimRight(strings.SplitN(n, "(", 2)[0], "`"))
		}
	}
	same(t, "functions", slices.Collect(maps.Keys(funcs)), listed)
}

// The page about operations has every field of a message and every event.
func TestMessagesAreDocumented(t *testing.T) {
	page := section(readPage(t, "docs/operations.md"), "## Be told")
	code := map[string]string{}
	fields(reflect.TypeFor[notify.Message](), "", code)
	same(t, "fields of a message", slices.Collect(maps.Keys(code)), firstCells(page))
	_, example, _ := strings.Cut(page, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	dec := json.NewDecoder(strings.NewReader(example))
	dec.DisallowUnknownFields()
	var m notify.Message
	if err := dec.Decode(&m); err != nil || len(m.Events) == 0 || m.Version != notify.Version {
		t.Errorf("the example is read as %+v, %v", m, err)
	}
	for _, k := range notify.Kinds() {
		for _, text := range []string{page, readPage(t, "docs/configuration.md")} {
			if !strings.Contains(text, "`"+string(k)+"`") {
				t.Errorf("a page does not have the event %s", k)
			}
		}
	}
}

// The page about operations has every figure, with its type, and alerts name no other.
func TestMetricsAreDocumented(t *testing.T) {
	page := section(readPage(t, "docs/operations.md"), "## Measure the nights")
	run := &report.Run{After: &inspect.Figures{Tables: []inspect.TableFigures{{}}}}
	earlier, err := promtext.Read("nothing there")
	if err != nil {
		t.Fatal(err)
	}
	var code, listed []string
	for _, f := range run.Metrics(earlier, nil).Families {
		code = append(code, f.Name+" "+string(f.Kind))
	}
	for _, row := range tableRows(page) {
		listed = append(listed, row[0]+" "+row[1])
	}
	same(t, "figures", code, listed)
	for _, name := range regexp.MustCompile(`reconcile_[a-z_]+`).FindAllString(page, -1) {
		if !slices.ContainsFunc(code, func(c string) bool { return strings.HasPrefix(c, name+" ") }) {
			t.Errorf("there is no figure %s", name)
		}
	}
}
