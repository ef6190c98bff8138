package structure

import (
	"fmt"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"
)

// measure is the size of the worst places of a package. A component is a set
// of files that refer to each other in a circle, directly or not.
type measure struct {
	files   int // of the component with the most files
	lines   int // of the component with the most lines
	methods int // of the type with the most methods
}

// most is what a package may have.
var most = measure{files: 8, lines: 1500, methods: 29}

// within says whether no figure is above its limit.
func (m measure) within(limit measure) bool {
	return m.files <= limit.files && m.lines <= limit.lines && m.methods <= limit.methods
}

// measured measures a package.
func measured(s *source) measure {
	var m measure
	for _, c := range components(slices.Sorted(maps.Keys(s.lines)), references(s)) {
		lines := 0
		for _, f := range c {
			lines += s.lines[f]
		}
		m.files, m.lines = max(m.files, len(c)), max(m.lines, lines)
	}
	for _, n := range methods(s.pkg) {
		m.methods = max(m.methods, n)
	}
	return m
}

// references says which files of the package a file refers to: those that
// declare a package-level name, a method or a field that it uses.
func references(s *source) map[string]map[string]bool {
	refs := map[string]map[string]bool{}
	for id, o := range s.uses {
		if o.Pkg() != s.pkg || !declared(o) {
			continue
		}
		from, to := s.file(id.Pos()), s.file(o.Pos())
		if from == to {
			continue
		}
		if refs[from] == nil {
			refs[from] = map[string]bool{}
		}
		refs[from][to] = true
	}
	return refs
}

// declared says whether the object is a package-level name, a method or a field.
func declared(o types.Object) bool {
	switch o := o.(type) {
	case *types.Var:
		if o.IsField() {
			return true
		}
	case *types.Func:
		if o.Signature().Recv() != nil {
			return true
		}
	}
	return o.Parent() == o.Pkg().Scope()
}

// methods counts the methods of each named type, promoted ones counted that
// are of the same package.
func methods(p *types.Package) map[string]int {
	count := map[string]int{}
	for _, name := range p.Scope().Names() {
		tn, ok := p.Scope().Lookup(name).(*types.TypeName)
		if !ok || tn.IsAlias() {
			continue
		}
		t := tn.Type()
		if !types.IsInterface(t) {
			t = types.NewPointer(t)
		}
		set := types.NewMethodSet(t)
		for i := range set.Len() {
			if set.At(i).Obj().Pkg() == p {
				count[name]++
			}
		}
	}
	return count
}

// components returns the strongly connected components of the files (Tarjan).
func components(files []string, refs map[string]map[string]bool) [][]string {
	index, low, open := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var all [][]string
	var visit func(string)
	visit = func(f string) {
		index[f] = len(index) + 1
		low[f], open[f] = index[f], true
		stack = append(stack, f)
		for to := range refs[f] {
			if index[to] == 0 {
				visit(to)
				low[f] = min(low[f], low[to])
			} else if open[to] {
				low[f] = min(low[f], index[to])
			}
		}
		if low[f] != index[f] {
			return
		}
		at := slices.Index(stack, f)
		c := slices.Clone(stack[at:])
		stack = stack[:at]
		for _, f := range c {
			open[f] = false
		}
		slices.Sort(c)
		all = append(all, c)
	}
	for _, f := range files {
		if index[f] == 0 {
			visit(f)
		}
	}
	return all
}

// A circle counts by its files whatever the reference is: a name, a method, a
// field, an embedded one. References within a file and to local names do not.
func TestComponents(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want measure
	}{
		"no circle":       {"-- a\nfunc f() { g() }\n-- b\nfunc g() {}\n", measure{files: 1, lines: 2}},
		"names":           {"-- a\nfunc f() { g() }\n-- b\nfunc g() { h() }\n-- c\nfunc h() { f() }\n-- d\nfunc i() { f() }\n", measure{files: 3, lines: 6}},
		"method":          {"-- a\ntype t struct{}\n-- b\nfunc (t) m() {}\n-- c\nfunc f(x t) { x.m() }\n", measure{files: 1, lines: 2, methods: 1}},
		"circle by both":  {"-- a\ntype t struct{}\nfunc f(x t) { x.m() }\n-- b\nfunc (t) m() {}\n", measure{files: 2, lines: 5, methods: 1}},
		"field":           {"-- a\ntype t struct{ x u }\nfunc f(y t) { _ = y.x.z }\n-- b\ntype u struct{ z int }\nvar v = t{x: u{}}\n", measure{files: 2, lines: 6}},
		"generic":         {"-- a\ntype t[K any] struct{ x K }\nfunc (t[K]) m() { f() }\n-- b\nfunc f() { t[int]{}.m() }\n", measure{files: 2, lines: 5, methods: 1}},
		"long file":       {"-- a\nfunc f() {}\n\n\n\n\n-- b\nfunc g() { h() }\n-- c\nfunc h() { g() }\n", measure{files: 2, lines: 6}},
		"nothing but own": {"-- a\nfunc f() { x := 1; _ = x; g() }\nfunc g() { f() }\n", measure{files: 1, lines: 3}},
	} {
		if got := measured(fake(t, c.text)); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// Methods promoted from a type of the same package count, those of another
// package (here: of error) do not.
func TestMethods(t *testing.T) {
	s := fake(t, "-- a\ntype in struct{}\nfunc (in) a() {}\nfunc (*in) b() {}\n"+
		"type out struct{ *in; error }\nfunc (out) c() {}\ntype is interface{ a(); c() }\ntype same = out\n")
	got := methods(s.pkg)
	if want := map[string]int{"in": 2, "out": 3, "is": 2}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestWithin(t *testing.T) {
	for _, m := range []measure{{files: 9}, {lines: 1501}, {methods: 30}} {
		if m.within(most) {
			t.Errorf("%+v is within %+v", m, most)
		}
	}
	if !most.within(most) {
		t.Errorf("%+v is not within itself", most)
	}
}

// TestFilesAndTypes measures the packages of engine, sinks and state.
func TestFilesAndTypes(t *testing.T) {
	for path, s := range sources(t) {
		if !slices.ContainsFunc([]string{"engine", "sinks", "state"}, func(root string) bool { return below(path, root) }) {
			continue
		}
		if m := measured(s); !m.within(most) {
			t.Errorf("%s: %d files and %d lines of files that refer to each other in a circle, and %d methods of a type; allowed are %d, %d and %d\n%s",
				path, m.files, m.lines, m.methods, most.files, most.lines, most.methods, worst(s))
		}
	}
}

// worst names the biggest component and the types with the most methods.
func worst(s *source) string {
	var biggest []string
	for _, c := range components(slices.Sorted(maps.Keys(s.lines)), references(s)) {
		if len(c) > len(biggest) {
			biggest = c
		}
	}
	text := "circle: " + strings.Join(biggest, " ")
	for name, n := range methods(s.pkg) {
		if n > most.methods {
			text += fmt.Sprintf("\ntype %s: %d methods", name, n)
		}
	}
	return text
}
