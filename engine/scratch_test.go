package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/engine/exec"
	"reconcile/engine/exectest/child"
	"reconcile/engine/native"
	"reconcile/internal/errclass"
)

// A plan says what an apply takes in scratch_dir, of a load and of a rewrite, if it
// does not fit in memory.
func TestPlanAnnouncesScratch(t *testing.T) {
	h := newHarness(t, "table \"pageviews\" {\n sinks = [sink.parquet.lake]\n partition_by = [date(time)]\n}\n")
	scratch := func(memory int) int64 {
		t.Helper()
		h.tuning = Tuning{Memory: memory}
		p, err := h.engine().Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return p.Tables[0].Scratch
	}
	h.arrive(plainDump(1, 0, 5_000))
	if small, large := scratch(1<<10), scratch(0); small < 50_000 || large != 0 {
		t.Errorf("a load of 5,000 rows is to take %d bytes with little memory, %d with much", small, large)
	}
	h.must()
	h.arrive(plainDump(2, 5_000, 10))
	if n := scratch(1 << 20); n != 0 {
		t.Errorf("a few rows are to take %d bytes", n)
	}
	h.hcl = "table \"pageviews\" {\n sinks = [sink.parquet.lake]\n}\n"
	if n := scratch(1 << 10); n < 50_000 {
		t.Errorf("writing the table anew is to take %d bytes", n)
	}
}

// brokenTargets has an executor find a file where files are to be staged.
type brokenTargets struct{ exec.Executor }

func (x brokenTargets) Execute(ctx context.Context, t *exec.Task, env *exec.Env) (*exec.Result, error) {
	for _, target := range t.Sinks {
		if err := os.WriteFile(filepath.Join(target.Root, "_reconcile"), nil, 0o600); err != nil {
			return nil, err
		}
	}
	return x.Executor.Execute(ctx, t, env)
}

// A plan with exact figures that cannot write to scratch_dir fails: no sink is unavailable
// for that, and nothing is held.
func TestExactPlanWithoutScratch(t *testing.T) {
	for name, e := range map[string]exec.Executor{"in this process": native.Executor{}, "in a child process": &child.Executor{Dir: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, "table \"pageviews\" {\n sinks = [sink.parquet.lake]\n}\n")
			h.arrive(plainDump(1, 0, 10))
			h.executor, h.opts.Exact = brokenTargets{e}, true
			g := h.engine()
			p, err := g.Plan(t.Context())
			if err == nil {
				t.Fatalf("planned, and held %+v", p.Holds)
			}
			if errclass.Of(err) != errclass.Unclassed || !strings.Contains(err.Error(), "scratch_dir: ") {
				t.Errorf("it fails with %v, of the class %q", err, errclass.Of(err))
			}
			for _, root := range g.lake.Roots() {
				if down := g.lake.Down(root); down != nil {
					t.Errorf("the sink at %s is down: %v", root, down)
				}
			}
		})
	}
}
