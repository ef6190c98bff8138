package exectest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconcile/config"
	"reconcile/engine"
	"reconcile/engine/exec"
	"reconcile/engine/model"
	"reconcile/internal/feed"
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
	if err := os.WriteFile(b.path("conf", "main.hcl"), []byte(fmt.Sprintf(prelude, unit)+b.hcl), 0o644); err != nil {
		b.t.Fatal(err)
	}
	cfg, src, diags := config.Load(b.path("conf"), config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		var text strings.Builder
		_ = src.Write(&text, diags, 100, false)
		b.t.Fatal(text.String())
	}
	return cfg
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

// apply is what the command does: lock, recover, plan, apply.
func (b *bed) apply(ctx context.Context) (_ *engine.Result, err error) {
	e := b.engine()
	l, err := e.Lock(ctx, "test")
	if err != nil {
		return nil, err
	}
	ctx = l.Context(ctx)
	defer func() { err = errors.Join(err, l.Unlock()) }()
	if _, err := e.Recover(ctx, l); err != nil {
		return nil, err
	}
	p, err := e.PlanLocked(ctx, l)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return e.Apply(ctx, l, p)
}

// must applies, and compares everything with the model. A second apply must be idle.
func (b *bed) must() *engine.Result {
	b.t.Helper()
	res, err := b.apply(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range res.Tables {
		if t.Err != nil {
			b.t.Fatalf("table %s: %v", t.Name, t.Err)
		}
	}
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
	var out []string
	for _, top := range []string{"lake", "state"} {
		_ = filepath.WalkDir(b.path(top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") || strings.HasSuffix(p, ".readers") {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			out = append(out, fmt.Sprintf("%s %d %d", p, info.Size(), info.ModTime().UnixNano()))
			return nil
		})
	}
	return out
}

// published lists the files of the lake that are not staged, and those of the state but
// its objects, which may be new.
func (b *bed) published() []string {
	return slices.DeleteFunc(b.tree(), func(line string) bool {
		return strings.HasPrefix(line, b.path("lake", "_reconcile", "staging")) || strings.HasPrefix(line, b.path("state")) && !strings.HasPrefix(line, b.path("state", "state.db "))
	})
}

// delivered lists the columns of a table.
func (b *bed) delivered(name string) []string {
	var out []string
	for _, d := range b.arrived {
		for _, e := range d.Entries {
			if e.Table != name {
				continue
			}
			out = append(out, e.Columns...)
			for _, f := range e.Files {
				for _, field := range f.Fields {
					if e.Columns == nil || feed.IsExact(field.Name) {
						out = append(out, field.Name)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
