package exectest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/enginetest"
	"reconcile/engine/exec"
	"reconcile/engine/inspect"
	"reconcile/engine/model"
)

// maskKey is the key of all masks. It must be in nothing that leaves the process.
const maskKey = "the key that no task and no result may hold"

const prelude = `
source "local" {
  path = "../dumps"%s
}
reconcile {
  state "local" { path = "../state/state.db" }
  scratch_dir = "../scratch"
}
sink "parquet" "lake" { path = "../lake" }
`

// bed is an export, a lake and a state in a folder, which are brought together through
// an executor.
type bed struct {
	t       *testing.T
	dir     string
	hcl     string // tables and masks
	unit    string // time_unit of the source, none if empty
	tuning  engine.Tuning
	opts    engine.Options
	watch   *watch
	arrived []*model.Dump
	// unchecked leaves out the comparison: what is applied while something is held
	// depends on the order of arrival.
	unchecked bool
}

func newBed(t *testing.T, e exec.Executor, seen *coverage, hcl string) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), hcl: hcl}
	b.watch = &watch{t: t, inner: e, dir: b.dir, seen: seen}
	for _, d := range []string{"dumps/manifests", "conf"} {
		if err := os.MkdirAll(filepath.Join(b.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.opts.AllowDestroy = true
	return b
}

func (b *bed) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

func (b *bed) config() *config.Config {
	b.t.Helper()
	unit := ""
	if b.unit != "" {
		unit = fmt.Sprintf("\n  time_unit = %q", b.unit)
	}
	return enginetest.Load(b.t, b.path("conf"), fmt.Sprintf(prelude, unit)+b.hcl)
}

func (b *bed) engine() *engine.Engine {
	b.t.Helper()
	o := b.opts
	o.Program, o.Parallelism, o.Tuning = "0.1.0", 2, b.tuning
	o.Tuning.Executor = b.watch
	e, err := engine.New(b.t.Context(), b.config(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *bed) arrive(dumps ...*model.Dump) {
	b.t.Helper()
	for _, d := range dumps {
		if err := d.Write(b.path("dumps")); err != nil {
			b.t.Fatal(err)
		}
		b.arrived = append(b.arrived, d)
	}
}

// apply is what the command does.
func (b *bed) apply(ctx context.Context) (*engine.Result, error) {
	return enginetest.Apply(ctx, b.engine())
}

// must applies, and compares everything with the model. A second apply must be idle.
func (b *bed) must() *engine.Result {
	b.t.Helper()
	b.watch.takeSteps()
	res, err := b.apply(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range res.Tables {
		if t.Err != nil {
			b.t.Fatalf("table %s: %v", t.Name, t.Err)
		}
	}
	b.checkRemovals(b.watch.takeSteps())
	b.check()
	before := b.tree()
	again, err := b.apply(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if after := b.tree(); len(again.Tables) > 0 || !slices.Equal(before, after) {
		b.t.Fatalf("a second apply changed %+v; it held %+v, and wrote:\nbefore %q\nafter  %q", again.Tables, again.Holds, before, after)
	}
	return res
}

// tree lists what the state and the lake consist of.
func (b *bed) tree() []string {
	return enginetest.Tree(nil, b.path("lake"), b.path("state"))
}

// check compares every table with the model.
func (b *bed) check() {
	b.t.Helper()
	if b.unchecked {
		return
	}
	c := enginetest.Comparison{Config: b.config(), Dumps: b.arrived, Delivered: b.arrived, Mapping: model.MappingFor(b.arrived, model.Guard{}).Dump,
		Folder: func(root string) string { return root }, Inspect: func() *inspect.Reader { return b.engine().Inspect() }}
	c.Check(b.t)
}

// published lists the files of the lake that are not staged, and those of the state but
// its objects, which may be new.
func (b *bed) published() []string {
	return slices.DeleteFunc(b.tree(), func(line string) bool {
		return strings.HasPrefix(line, b.path("lake", "_reconcile", "staging")) || strings.HasPrefix(line, b.path("state")) && !strings.HasPrefix(line, b.path("state", "state.db "))
	})
}
