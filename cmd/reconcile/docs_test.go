package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/config"
	"reconcile/internal/failpoint"
)

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section returns what stands below a heading, up to the next one that is not
// deeper; "" if the page has no such heading.
func section(page, heading string) string {
	marks, _, _ := strings.Cut(heading, " ")
	var out []string
	inside, fenced := false, false
	for line := range strings.Lines(page) {
		fenced = fenced != strings.HasPrefix(line, "```")
		level, _, ok := strings.Cut(line, " ")
		isHeading := ok && !fenced && strings.Trim(level, "#") == "" && level != ""
		switch {
		case isHeading && strings.TrimSpace(line) == heading:
			inside = true
		case isHeading && len(level) <= len(marks):
			inside = false
		case inside:
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// headings lists the headings of a level, without marks and backticks.
func headings(text, marks string) []string {
	var out []string
	fenced := false
	for line := range strings.Lines(text) {
		fenced = fenced != strings.HasPrefix(line, "```")
		if h, ok := strings.CutPrefix(line, marks+" "); ok && !fenced {
			out = append(out, strings.Trim(strings.TrimSpace(h), "`"))
		}
	}
	return out
}

// table returns the cells of the tables in a text, without their heads, and
// without the backticks of the first cell.
func tableRows(text string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || len(cells) < 2 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if strings.HasPrefix(cells[0], "`") {
			cells[0] = strings.Trim(cells[0], "`")
			out = append(out, cells)
		}
	}
	return out
}

func firstCells(text string) []string {
	var out []string
	for _, row := range tableRows(text) {
		out = append(out, row[0])
	}
	return out
}

// same fails if a list in the code and one in a page differ, whatever their order.
func same(t *testing.T, what string, code, page []string) {
	t.Helper()
	slices.Sort(code)
	slices.Sort(page)
	if diff := cmp.Diff(code, page); diff != "" {
		t.Errorf("%s (-code +page):\n%s", what, diff)
	}
}

func flagsOf(c *command) *flag.FlagSet {
	f := newFlagSet(c.name)
	f.Bool("no-color", false, "print no colours")
	c.flags(f)
	return f
}

// Every command and flag is in docs/commands.md, and nothing else is. The text
// of the help, which the page shows, TestDocumentedOutput compares.
func TestCommandsAreDocumented(t *testing.T) {
	page := readPage(t, "docs/commands.md")
	var names []string
	flags := map[string]bool{"chdir": true, "help": true, "h": true, "version": true, "v": true}
	for _, c := range commands() {
		names = append(names, c.name)
		text := section(page, "### "+c.name)
		if !strings.Contains(text, "\n$ reconcile "+c.name+" -help\n") {
			t.Errorf("the page does not show the help of %s", c.name)
		}
		flagsOf(c).VisitAll(func(f *flag.Flag) {
			flags[f.Name] = true
			if !regexp.MustCompile(`-` + f.Name + `\b`).MatchString(text) {
				t.Errorf("the page does not have -%s of %s", f.Name, c.name)
			}
		})
	}
	same(t, "commands", names, headings(section(page, "## Commands"), "###"))
	for _, m := range regexp.MustCompile("`(?:reconcile )?(?:(\\w+) )?-{1,2}([a-z][a-z-]*)").FindAllStringSubmatch(page+readPage(t, "README.md")+readPage(t, "docs/configuration.md"), -1) {
		if !flags[m[2]] && !slices.Contains([]string{"go", "aws"}, m[1]) {
			t.Errorf("the documentation names a flag -%s, which no command has: %s", m[2], m[0])
		}
	}
	var answers, words []string
	for word, text := range habits() {
		answers = append(answers, word+": "+strings.TrimSpace(text))
	}
	for _, row := range tableRows(section(page, "## Words of other tools")) {
		words = append(words, row[0]+": "+row[1])
	}
	same(t, "answers", answers, words)
}

// sources parses the files of a package without its tests.
func sources(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// The table of exit codes is that of the program's constants.
func TestExitCodesAreDocumented(t *testing.T) {
	var codes []string
	for _, f := range sources(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
				codes = append(codes, spec.Values[0].(*ast.BasicLit).Value)
			}
			return true
		})
	}
	if len(codes) < 6 {
		t.Fatalf("the program has the exit codes %v", codes)
	}
	same(t, "exit codes", codes, firstCells(section(readPage(t, "docs/commands.md"), "## Exit codes")))
}

// Every failpoint stands in the table of the commit, and nothing else does.
func TestFailpointsAreDocumented(t *testing.T) {
	var points, page []string
	for _, p := range failpoint.All() {
		points = append(points, string(p))
	}
	for line := range strings.Lines(section(readPage(t, "docs/architecture.md"), "## The commit")) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			for _, m := range regexp.MustCompile("`([a-z.]+)`").FindAllStringSubmatch(cells[3], -1) {
				page = append(page, m[1])
			}
		}
	}
	slices.Sort(page)
	same(t, "failpoints", points, slices.Compact(page))
}

// Records without a type of their own in the program.
type (
	warningShape struct {
		Message string `json:"message"`
	}
	noticeShape struct {
		Message string `json:"message"`
	}
	errorShape struct {
		Message  string `json:"message"`
		ExitCode int    `json:"exit_code"`
	}
	recoveredShape struct {
		Tables []string `json:"tables"`
	}
	rowsShape struct {
		Rows int64 `json:"rows"`
	}
)

// recordTypes gives the form of every record that the program prints.
var recordTypes = map[string]any{
	"notice": noticeShape{}, "warning": warningShape{}, "table": tableLine{}, "mapping": mappingLine{}, "hold": holdLine{}, "check": checkLine{}, "unjudged_check": unjudgedLine{}, "plan": planLine{},
	"recovered": recoveredShape{}, "saved_plan": savedPlanLine{}, "config_change": changeLine{}, "not_checked": uncheckedLine{}, "progress": progressRecord{}, "applied": resultLine{}, "apply": applyLine{}, "waiting": waitingLine{}, "waited": waitedLine{},
	"init": initLine{}, "state_moved": stateMovedLine{}, "configuration_written": surveyed{},
	"verified_table": verifiedTableLine{}, "verify": verifyLine{},
	"status": statusLine{}, "status_table": tableStatusLine{}, "problem": problemLine{},
	"commit": commitLine{}, "history": historyLine{}, "column_change": columnChangeLine{},
	"lock": lockLine{}, "state": stateLine{}, "state_table": shownLine{}, "state_file": fileLine{}, "state_address": tableAddress{},
	"backup": backupLine{}, "restored": restoredLine{}, "state_rebuild": rebuildLine{}, "state_rebuild_table": rebuildTableLine{}, "state_rebuilt": rebuiltLine{},
	"rescued": rescuedLine{}, "quarantine": quarantined{}, "quarantine_summary": rowsShape{}, "quarantined_row": quarantinedRowLine{},
	"validate": validated{}, "version": versionRecord{}, "diagnostic": config.JSONDiagnostic{}, "error": errorShape{},
}

func documentedAt(heading string) bool { return recordTypes[heading] != nil }

// The types that the code prints, those of the page and those above are the same.
func TestRecordsAreDocumented(t *testing.T) {
	found := map[string]bool{}
	for _, f := range sources(t, ".") {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name := calledName(call)
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && (name == "record" || name == "jsonLine") {
				s, _ := strconv.Unquote(lit.Value) // the compiler took it
				found[s] = true
			}
			return true
		})
	}
	code := slices.Sorted(maps.Keys(found))
	page := readPage(t, "docs/json-output.md")
	same(t, "record types", code, slices.Collect(maps.Keys(recordTypes)))
	same(t, "record types", code, headings(section(page, "## Records"), "###"))
	if want := fmt.Sprintf("`format_version` is %d", formatVersion); !strings.Contains(page, want) {
		t.Errorf("the page does not say that %s", want)
	}
}

// fields lists the fields of a struct as JSON has them, those of nested structs
// too: name, kind, a question mark if it can be left out.
func fields(typ reflect.Type, prefix string, out map[string]string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && name == "" {
			fields(inner, prefix, out)
			continue
		}
		if name == "-" || name == "" {
			continue
		}
		kind := kindOf(f.Type)
		if opts == "omitempty" {
			kind = strings.TrimSuffix(kind, " or null") + "?"
		}
		out[prefix+name] = kind
		if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
			fields(inner.Elem(), prefix+name+"[].", out)
		} else if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[countsJSON]() {
			fields(inner, prefix+name+".", out)
		}
	}
}

// kindOf names a Go type as the page does.
func kindOf(typ reflect.Type) string {
	switch {
	case typ == reflect.TypeFor[json.RawMessage]() || typ.Kind() == reflect.Map:
		return "object"
	case typ.Kind() == reflect.String:
		return "text"
	case typ.Kind() == reflect.Pointer:
		return kindOf(typ.Elem()) + " or null"
	case typ.Kind() == reflect.Slice:
		return kindOf(typ.Elem()) + "[]"
	case typ.Kind() == reflect.Struct:
		return "object"
	case typ.Kind() == reflect.Bool:
		return "boolean"
	case typ.Kind() == reflect.Float64:
		return "number"
	}
	return "integer"
}

// Every field of every record is in its table, with its type, and no other is.
func TestFieldsAreDocumented(t *testing.T) {
	page := readPage(t, "docs/json-output.md")
	shapes := maps.Clone(recordTypes)
	shapes["counts"] = countsJSON{}
	for name, v := range shapes {
		want, got := map[string]string{}, map[string]string{}
		fields(reflect.TypeOf(v), "", want)
		for _, row := range tableRows(section(page, "### `"+name+"`")) {
			got[row[0]] = row[1]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fields of %s (-code +page):\n%s", name, diff)
		}
	}
}

// checkRecord wants a printed record to have the fields of its type, all that it
// must have, and no other.
func checkRecord(t *testing.T, typ, line string) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatal(err)
	}
	if v["format_version"] != float64(formatVersion) || !documentedAt(typ) {
		t.Errorf("not a record of the page: %s", line)
		return
	}
	delete(v, "type")
	delete(v, "format_version")
	want := map[string]string{}
	fields(reflect.TypeOf(recordTypes[typ]), "", want)
	checkFields(t, line, want, "", v)
}

func checkFields(t *testing.T, line string, want map[string]string, prefix string, v map[string]any) {
	t.Helper()
	nested := func(prefix string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(k string) bool { return strings.HasPrefix(k, prefix) })
	}
	for key, val := range v {
		at := prefix + key
		if want[at] == "" {
			t.Errorf("%s is not in the page: %s", at, line)
		}
		if sub, ok := val.(map[string]any); ok && nested(at+".") {
			checkFields(t, line, want, at+".", sub)
		}
		list, _ := val.([]any)
		for _, item := range list {
			if sub, ok := item.(map[string]any); ok {
				checkFields(t, line, want, at+"[].", sub)
			}
		}
	}
	for at, kind := range want {
		name, ok := strings.CutPrefix(at, prefix)
		if _, there := v[name]; ok && !there && !strings.ContainsAny(name, ".[") && !strings.HasSuffix(kind, "?") {
			t.Errorf("%s is missing: %s", at, line)
		}
	}
}
