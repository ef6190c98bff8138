// Package bed is where benchmarks run: it builds the programs, has exports made,
// applies them, runs the same job in other engines and puts things back as they
// were. All that takes memory happens in processes of their own. It writes
// nothing but its folder.
package bed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"reconcile/bench/internal/measure"
)

// Options say how everything runs.
type Options struct {
	Dir     string // to work in; a temporary folder if empty
	Python  string // that has the other engines
	Threads int    // that each may use
	Memory  string // memory_limit of reconcile
	Root    string // of the repository
	Log     io.Writer
}

// Bed is the folder in which everything happens.
type Bed struct {
	o    Options
	dir  string
	temp bool
}

// New builds the programs.
func New(o Options) (*Bed, error) {
	b := &Bed{o: o, dir: o.Dir, temp: o.Dir == ""}
	var err error
	if b.temp {
		b.dir, err = os.MkdirTemp("", "reconcile-bench-")
	} else {
		b.dir, err = filepath.Abs(o.Dir)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(b.in("bin"), 0o755); err != nil {
		return nil, err
	}
	c := exec.Command("go", "build", "-o", b.in("bin")+string(filepath.Separator), "./cmd/reconcile", "./bench/generate", "./bench/compare")
	c.Dir = o.Root
	if err := measure.Quiet(c); err != nil {
		return nil, errors.Join(fmt.Errorf("building (run this in the root of the repository): %w", err), b.Close())
	}
	return b, nil
}

// Close removes the folder if it is a temporary one.
func (b *Bed) Close() error {
	if !b.temp {
		return nil
	}
	return os.RemoveAll(b.dir)
}

func (b *Bed) in(names ...string) string {
	return filepath.Join(append([]string{b.dir}, names...)...)
}

func (b *Bed) program(name string, args ...string) *exec.Cmd {
	return exec.Command(b.in("bin", name), args...)
}

// run runs a program that is not measured; what it prints goes to the log.
func (b *Bed) run(c *exec.Cmd) error {
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(c.Path), err, out)
	}
	_, err = b.o.Log.Write(out)
	return err
}

// job returns the same job in another engine.
func (b *Bed) job(engine, dumps, out string) *exec.Cmd {
	c := exec.Command(b.o.Python, "-B", filepath.Join(b.o.Root, "bench", engine+"_job.py"), dumps, out, "--threads", strconv.Itoa(b.o.Threads))
	// polars and the libraries below pyarrow count processors for themselves.
	n := strconv.Itoa(b.o.Threads)
	c.Env = append(os.Environ(), "POLARS_MAX_THREADS="+n, "OMP_NUM_THREADS="+n)
	return c
}

// Has says whether Python has an engine, and which version.
func (b *Bed) Has(engine string) (string, error) {
	out, err := exec.Command(b.o.Python, "-c", "import sys, importlib.metadata as m, "+engine+"; print(m.version(sys.argv[1]))", engine).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s cannot import %s (%w): pip install chdb duckdb polars pyarrow into a virtual environment and name its Python with -python, or leave engines out with -engines\n%s", b.o.Python, engine, err, out)
	}
	return engine + " " + string(out[:max(len(out)-1, 0)]), nil
}
