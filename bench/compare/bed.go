package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"reconcile/bench/internal/export"
)

const configuration = `
source "local" { path = "../dumps" }
reconcile {
  memory_limit = %q
  scratch_dir  = "../work/scratch"
  state "local" { path = "../work/state.db" }
}
sink "parquet" "lake" { path = "../work/lake" }
table "*" {
  sinks        = [sink.parquet.lake]
  partition_by = [date(time)]
}
table "users" { sinks = [sink.parquet.lake] }
ignore "user_migrations" {}
`

// bed is the folder in which everything happens.
type bed struct {
	o    *options
	dir  string
	temp bool
}

// newBed builds the programs and makes the export. Both happen in processes of
// their own: the peak memory of a child is never less than what its parent had
// when it started the child.
func newBed(o *options) (*bed, error) {
	b := &bed{o: o, dir: o.dir, temp: o.dir == ""}
	var err error
	if b.temp {
		b.dir, err = os.MkdirTemp("", "reconcile-bench-")
	} else {
		b.dir, err = filepath.Abs(o.dir)
	}
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"bin", "conf"} {
		if err := os.MkdirAll(b.in(d), 0o755); err != nil {
			return nil, err
		}
	}
	hcl := fmt.Sprintf(configuration, o.memory)
	if err := os.WriteFile(b.in("conf", "main.hcl"), []byte(hcl), 0o644); err != nil {
		return nil, err
	}
	if err := quiet(exec.Command("go", "build", "-o", b.in("bin")+string(filepath.Separator), "./cmd/reconcile", "./bench/generate")); err != nil {
		return nil, fmt.Errorf("building (run this in the root of the repository): %w", err)
	}
	if _, err := os.Stat(b.in("dumps", "generated.json")); err == nil {
		return nil, fmt.Errorf("%s holds an export already", b.dir)
	}
	return b, loud(exec.Command(b.in("bin", "generate"), append(o.export.Args(), "-dir", b.in("dumps"))...))
}

func (b *bed) in(names ...string) string {
	return filepath.Join(append([]string{b.dir}, names...)...)
}

// addNight adds a dump to the export.
func (b *bed) addNight(mapped int) error {
	n := export.Night{Events: b.o.night, Migrations: mapped}
	return loud(exec.Command(b.in("bin", "generate"), append(n.Args(), "-add-night", "-dir", b.in("dumps"))...))
}

// same checks that both sides made the same tables.
func (b *bed) same() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return loud(exec.Command(self, "-check", b.in("work", "lake"), b.in("chdb")))
}

func (b *bed) close() error {
	if !b.temp {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// quiet runs a command and shows what it printed only if it fails.
func quiet(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(c.Path), err, out)
	}
	return nil
}

// loud runs a command and passes on what it prints.
func loud(c *exec.Cmd) error {
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(c.Path), err)
	}
	return nil
}
