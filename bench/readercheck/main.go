// Command readercheck writes invented exports, lets the real program curate
// them, and says beside each lake, in expect.json, what readers of it must
// find. The scripts that hold other readers against it are in .ci.
//
// It promises that what it expects comes of the naive model alone: it never
// looks into a lake.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"reconcile/config"
	"reconcile/engine/model"
)

func main() {
	bin := flag.String("reconcile", "", "the program to check")
	out := flag.String("out", "", "an empty folder for the worlds")
	worlds := flag.Int("worlds", 6, "number of random worlds")
	seed := flag.Int64("seed", 1, "seed of the first of them")
	flag.Parse()
	if err := run(*bin, *out, *worlds, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "readercheck:", err)
		os.Exit(1)
	}
}

func run(bin, out string, worlds int, seed int64) error {
	if bin == "" || out == "" {
		return errors.New("-reconcile and -out are needed")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	check := func(name, hcl string, steps [][]*model.Dump) error {
		c := checked{bin: bin, dir: filepath.Join(out, name), hcl: hcl}
		if err := c.curate(steps); err != nil {
			return fmt.Errorf("world %s: %w", name, err)
		}
		return nil
	}
	for _, name := range []string{"flat", "nested", "dates"} {
		if err := check(name, edgeConfig(name), edgeSteps()); err != nil {
			return err
		}
	}
	for i := range worlds {
		r := rand.New(rand.NewSource(seed + int64(i)))
		w := model.Random(r, model.GenOptions{Dumps: 4, Rows: 40, Users: 12, KeepMappings: true})
		if err := check(fmt.Sprintf("random-%d", seed+int64(i)), randomConfig(i), grouped(w.Dumps)); err != nil {
			return err
		}
	}
	return nil
}

// grouped lets the first two dumps arrive together and each other one alone.
func grouped(dumps []*model.Dump) [][]*model.Dump {
	steps := [][]*model.Dump{dumps[:2]}
	for _, d := range dumps[2:] {
		steps = append(steps, []*model.Dump{d})
	}
	return steps
}

// checked is one world: a folder with a configuration, an export and a lake.
type checked struct {
	bin, dir, hcl string
	arrived       []*model.Dump
}

// curate applies the steps one after the other and writes down what must come
// of them.
func (c *checked) curate(steps [][]*model.Dump) error {
	if err := os.MkdirAll(filepath.Join(c.dir, "dumps", "manifests"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.dir, "main.hcl"), []byte(c.hcl), 0o600); err != nil {
		return err
	}
	for _, dumps := range steps {
		for _, d := range dumps {
			if err := d.Write(filepath.Join(c.dir, "dumps")); err != nil {
				return err
			}
			c.arrived = append(c.arrived, d)
		}
		cmd := exec.Command(c.bin, "-chdir="+c.dir, "apply", "-auto-approve", "-no-color")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apply: %w\n%s", err, text)
		}
	}
	return c.expect()
}

// expect writes expect.json.
func (c *checked) expect() error {
	cfg, src, diags := config.Load(c.dir, config.Options{Version: "0.1.0"})
	if diags.HasErrors() {
		var b strings.Builder
		_ = src.Write(&b, diags, 100, false)
		return errors.New(b.String())
	}
	mapping := model.MappingFor(c.arrived, model.Guard{}).Dump
	var tables []expectedTable
	for _, name := range (&model.World{Dumps: c.arrived}).Tables() {
		t, diags := cfg.Table(name, delivered(c.arrived, name))
		if diags.HasErrors() {
			return diags
		}
		if t == nil {
			continue
		}
		s := model.FromDefinition(t, cfg.MaskKey)
		set, held := model.AppliedFor(c.arrived, name, s)
		if held {
			return fmt.Errorf("table %q is held", name)
		}
		want, err := model.Expect(set, mapping, s, name)
		if err != nil {
			return err
		}
		tables = append(tables, describe(t, delivered(c.arrived, name), want))
	}
	return writeExpected(filepath.Join(c.dir, "expect.json"), tables)
}

// delivered returns the names of a table's columns, without case.
func delivered(dumps []*model.Dump, table string) []string {
	var out []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, d := range dumps {
		for _, e := range d.Entries {
			if e.Table != table {
				continue
			}
			for _, name := range e.Columns {
				add(name)
			}
			for _, f := range e.Files {
				for _, fd := range f.Fields {
					add(fd.Name)
				}
			}
		}
	}
	return out
}
