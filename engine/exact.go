package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/engine/lake"
	"reconcile/engine/plan"
	"reconcile/internal/blob"
	"reconcile/state/local"
)

// measure replaces a table's estimates by exact figures: it computes the new
// content as an apply would, into the scratch folder, and throws it away.
func (e *Engine) measure(ctx context.Context, p *Plan, t *TablePlan) (err error) {
	if t.Action == plan.Destroy || t.Action == plan.Forget || p.publishing(t.Name) { // its files are on their way
		return nil
	}
	made := missingFolders(e.cfg.ScratchDir)
	defer func() {
		for _, d := range made {
			_ = os.Remove(d) // unless something else is in it by now
		}
	}()
	cleanup, err := e.scratch("plan-")
	if err != nil {
		return err
	}
	defer cleanup()
	dir := e.lim.scratch
	ofConfig := t.old != nil && t.Change.Class != plan.ClassNone
	r, err := e.runOn(ctx, 0, p.snap, p, t, ofConfig)
	if err != nil {
		return err
	}
	if err := r.divert(dir); err != nil {
		return err
	}
	c, err := r.compute(ctx, t.Change.Class, ofConfig)
	if bad := holding(err); bad != nil && ctx.Err() == nil {
		h := plan.Hold{Table: t.Name, Dump: bad.file.dump, File: bad.file.key, Reason: bad.err.Error()}
		if ofConfig {
			h = t.waitingRebuild(h)
			t.keep()
		}
		p.Holds = append(p.Holds, h)
		return nil
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	t.Exact, t.Counts = true, &c.counts
	t.Partitions, t.BytesToWrite = c.counts.Partitions, c.counts.Written
	return nil
}

// missingFolders lists a folder and those above it as far as they do not exist,
// the innermost first.
func missingFolders(dir string) []string {
	var out []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return out
		}
		out = append(out, dir)
		dir = filepath.Dir(dir)
	}
}

// divert has everything that the run writes go below dir.
func (r *tableRun) divert(dir string) error {
	r.attempt.store = local.Open(filepath.Join(dir, "state.db"), local.Options{Program: r.env.program})
	for i := range r.attempt.targets {
		root := filepath.Join(dir, fmt.Sprintf("sink%d", i))
		if err := os.MkdirAll(root, 0o700); err != nil {
			return fmt.Errorf("scratch_dir: %w", err)
		}
		st, err := blob.NewLocal(root)
		if err != nil {
			return err
		}
		if r.attempt.targets[i].sink, err = lake.Scratch(st, r.attempt.targets[i].compression); err != nil {
			return err
		}
	}
	return nil
}
