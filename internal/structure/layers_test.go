package structure

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// layers are all packages of the module. A package imports only packages that
// stand before it. Tests are left out.
var layers = strings.Fields(`
	internal/failpoint
	internal/errclass
	internal/amount
	internal/plain
	internal/shell
	internal/glob
	internal/heaps
	internal/radix
	internal/wire
	internal/textlist
	internal/column
	internal/feed
	internal/near
	internal/cgroup
	internal/structure
	internal/notify
	internal/promtext
	internal/parquet
	internal/blob
	internal/blob/blobtest
	internal/blob/s3blob
	internal/blob/s3test

	internal/definition
	config

	state/internal/boltfile
	state/internal/chain
	state/internal/lease
	state/internal/files
	state/internal/kv
	state
	state/internal/statefile
	state/local
	state/remote
	state/backup
	state/internal/statetest
	state/internal/statetest/machines

	sinks
	sinks/sinktest
	sinks/parquet

	engine/rules
	engine/dump
	engine/avro
	engine/identity
	engine/rows
	engine/index
	engine/keyset
	engine/filename

	engine/plan
	engine/planfile
	engine/exec
	engine/work
	engine/partfile
	engine/quarantine
	engine/decode
	engine/mappingfile
	engine/objects
	engine/rowfile
	engine/native/ingest
	engine/native/redelivery
	engine/native/write
	engine/native/pass
	engine/native/events
	engine/native/users
	engine/native
	engine/checks
	engine/scratch
	engine/stores
	engine/scaffold
	engine/lake
	engine/commit
	engine/states
	engine/planner
	engine/inspect
	engine/rescued
	engine/health
	engine/usermapping
	engine/tablekeys
	engine/published
	engine/verify
	engine/steps
	engine/rebuild
	engine
	engine/report

	engine/model
	engine/model/reader
	engine/enginetest
	engine/exectest/child
	engine/exectest

	cmd/reconcile/internal/markdown
	cmd/reconcile/internal/markdown/markdowntest
	cmd/reconcile

	bench
	bench/internal/export
	bench/internal/measure
	bench/internal/lake
	bench/internal/bed
	bench/generate
	bench/compare
	bench/progress
	bench/table
	bench/peak
	bench/readercheck
	deploy
	examples
	examples/quickstart
	examples/quickstart/generate
`)

// rule forbids packages at or below some paths to import, directly or not,
// packages at or below others.
type rule struct {
	of, never []string
}

var rules = []rule{
	// What decides and what is planned is free of input and output.
	{of: []string{"engine/rules", "engine/identity", "engine/plan"}, never: []string{"state", "sinks", "internal/blob"}},
	// An executor knows its task, not who planned it or keeps it.
	{of: []string{"engine/exec", "engine/native", "engine/exectest/child"}, never: []string{"engine/planner", "engine/commit", "state"}},
}

// readsConfig are the packages that may import config itself: the engine, who
// plans, and commands. Below them a table is a definition.Table. Stores, lake and
// states open the places that blocks name, and know no tables.
var readsConfig = []string{"config", "engine/stores", "engine/lake", "engine/states", "engine/inspect", "engine/rebuild", "engine", "engine/planner", "engine/enginetest", "engine/exectest", "cmd/reconcile", "bench/readercheck"}

// insides returns the imports of an executor and of its parts by packages that are none of
// them, but for that which registers it.
func insides(executor, registers string, imports graph) []string {
	var found []string
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		for _, q := range imports[p] {
			if below(q, executor) && !below(p, executor) && !(p == registers && q == executor) {
				found = append(found, p+" -> "+q)
			}
		}
	}
	return found
}

// graph says which packages of the module a package imports, both without the
// module's path.
type graph map[string][]string

// reach returns all packages that a package imports, directly or not.
func (g graph) reach(path string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(p string) {
		for _, q := range g[p] {
			if !seen[q] {
				seen[q] = true
				visit(q)
			}
		}
	}
	visit(path)
	return seen
}

// outOfOrder returns what is wrong with the list of layers for these imports.
func outOfOrder(layers []string, imports graph) []string {
	place := map[string]int{}
	var wrong []string
	for i, p := range layers {
		if _, twice := place[p]; twice {
			wrong = append(wrong, p+" stands twice in layers")
		}
		place[p] = i
		if _, ok := imports[p]; !ok {
			wrong = append(wrong, p+" stands in layers and is not in the module")
		}
	}
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		at, ok := place[p]
		if !ok {
			wrong = append(wrong, p+" is missing in layers: put it behind all that it imports and before all that import it")
			continue
		}
		for _, q := range imports[p] {
			if to, ok := place[q]; ok && to >= at {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which stands behind it in layers", p, q))
			}
		}
	}
	return wrong
}

// forbidden returns the imports, "a -> b", that a rule forbids.
func forbidden(rules []rule, imports graph) []string {
	under := func(path string, roots []string) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return below(path, root) })
	}
	found := map[string]bool{}
	for _, r := range rules {
		for p := range imports {
			if !under(p, r.of) {
				continue
			}
			for q := range imports.reach(p) {
				if under(q, r.never) {
					found[p+" -> "+q] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// configReaders returns the imports of config by packages that should get
// definitions.
func configReaders(may []string, imports graph) []string {
	var found []string
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		if slices.Contains(imports[p], "config") && !slices.Contains(may, p) {
			found = append(found, p+" -> config")
		}
	}
	return found
}

func TestOutOfOrder(t *testing.T) {
	imports := graph{"a": nil, "b": {"a"}, "c": {"a", "b"}}
	for name, c := range map[string]struct {
		layers string
		wrong  int
	}{
		"in order":                  {"a b c", 0},
		"upward":                    {"b a c", 1},
		"two upward":                {"b c a", 2},
		"not listed":                {"a b", 1},
		"not listed and imported":   {"a c", 1},
		"listed, not in the module": {"a b c d", 1},
		"twice":                     {"a b c b", 2},
	} {
		if got := outOfOrder(strings.Fields(c.layers), imports); len(got) != c.wrong {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestForbidden(t *testing.T) {
	r := []rule{{of: []string{"pure"}, never: []string{"state"}}}
	imports := graph{"state": nil, "state/x": nil, "statement": nil, "mid": {"state/x"}, "pure": {"statement"}, "pure/a": {"mid"}, "pure/b": {"state"}}
	want := []string{"pure/a -> state/x", "pure/b -> state"}
	if got := forbidden(r, imports); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestConfigReaders(t *testing.T) {
	imports := graph{"config": nil, "engine": {"config"}, "engine/planner": {"config"}, "engine/planner/x": {"config"}, "engine/rows": {"config"}, "sinks": {"engine"}}
	want := []string{"engine/planner/x -> config", "engine/rows -> config"}
	if got := configReaders(readsConfig, imports); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestInsides(t *testing.T) {
	imports := graph{"x": nil, "x/part": nil, "x/whole": {"x/part"}, "main": {"x"}, "main/a": {"x"}, "other": {"x/part"}, "xylem": {"main"}}
	imports["x"] = []string{"x/whole", "x/part"}
	want := []string{"main/a -> x", "other -> x/part"}
	if got := insides("x", "main", imports); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	imports["main"] = []string{"x", "x/part"}
	if got := insides("x", "main", imports); !slices.Contains(got, "main -> x/part") {
		t.Errorf("who registers an executor may import its part: %q", got)
	}
}

// TestImports holds the order of the layers and the rules against the module.
func TestImports(t *testing.T) {
	imports := graph{}
	for _, p := range goList(t, "./...") {
		path, ok := inModule(p)
		if !ok {
			continue
		}
		imports[path] = []string{}
		for _, q := range p.Imports {
			if own, ok := strings.CutPrefix(q, module); ok {
				imports[path] = append(imports[path], own)
			}
		}
	}
	for _, wrong := range outOfOrder(layers, imports) {
		t.Error(wrong)
	}
	for _, f := range slices.Concat(forbidden(rules, imports), configReaders(readsConfig, imports), insides("engine/native", "engine", imports)) {
		t.Errorf("%s is an import that the rules forbid", f)
	}
}
