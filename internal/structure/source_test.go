package structure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module is how import paths of this module begin.
const module = "reconcile/"

// listed is what `go list` says of a package. GoFiles are without tests.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
	Module                  *struct{ Main bool }
}

// goList runs `go list -json` in the module's folder.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles,Imports,Module"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages: %v\n%s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		all = append(all, p)
	}
}

// inModule returns the path of a package inside of the module.
func inModule(p listed) (string, bool) {
	if p.Module == nil || !p.Module.Main {
		return "", false
	}
	return strings.CutPrefix(p.ImportPath, module)
}

// below says whether path is root or below it.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// source is a package with its types. Positions are of fset.
type source struct {
	fset  *token.FileSet
	lines map[string]int // by file, without its folder
	files []*ast.File
	pkg   *types.Package
	uses  map[*ast.Ident]types.Object
}

// file returns the name of the file of a position.
func (s *source) file(p token.Pos) string { return s.fset.Position(p).Filename }

// sources reads all packages of the module, by path inside of it. Packages of
// others come from export data, so that nothing of the module is compiled.
func sources(t *testing.T) map[string]*source {
	t.Helper()
	all := goList(t, "-deps", "./...") // each package stands behind all that it imports
	args := []string{"-export"}
	for _, p := range all {
		if _, ok := inModule(p); !ok {
			args = append(args, p.ImportPath)
		}
	}
	exports := map[string]string{}
	for _, p := range goList(t, args...) {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imp := &loaded{own: map[string]*types.Package{}}
	imp.others = importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	found := map[string]*source{}
	for _, p := range all {
		path, ok := inModule(p)
		if !ok {
			continue
		}
		files := map[string][]byte{}
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = text
		}
		s, err := check(fset, p.ImportPath, files, imp)
		if err != nil {
			t.Fatal(err)
		}
		imp.own[p.ImportPath], found[path] = s.pkg, s
	}
	return found
}

// loaded imports packages of the module that were read, and all others.
type loaded struct {
	own    map[string]*types.Package
	others types.Importer
}

// Import returns the package of an import path.
func (l *loaded) Import(path string) (*types.Package, error) {
	if p := l.own[path]; p != nil {
		return p, nil
	}
	return l.others.Import(path)
}

// check reads the files of a package, given by name without folder, and
// resolves its identifiers.
func check(fset *token.FileSet, path string, files map[string][]byte, imp types.Importer) (*source, error) {
	s := &source{fset: fset, lines: map[string]int{}, uses: map[*ast.Ident]types.Object{}}
	for name, text := range files {
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s of %s: %w", name, path, err)
		}
		s.files = append(s.files, f)
		s.lines[name] = bytes.Count(text, []byte("\n"))
	}
	conf := types.Config{Importer: imp}
	var err error
	if s.pkg, err = conf.Check(path, fset, s.files, &types.Info{Uses: s.uses}); err != nil {
		return nil, fmt.Errorf("check %s: %w", path, err)
	}
	return s, nil
}

// fake makes a package of a text in which lines "-- name" begin files.
func fake(t *testing.T, text string) *source {
	t.Helper()
	files := map[string][]byte{}
	for _, part := range strings.Split(text, "-- ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		files[name] = []byte("package fake\n" + body)
	}
	s, err := check(token.NewFileSet(), "fake", files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
