package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/engine/plan"
	"reconcile/engine/planner"
)

// measure replaces a table's estimates by exact figures: it computes the new
// content as an apply would, into the scratch folder, and throws it away.
func (e *Engine) measure(ctx context.Context, p *planner.Session, t *planner.Table) (err error) {
	if t.Action == plan.Destroy || t.Action == plan.Forget || p.Publishing(t.Name) { // its files are on their way
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
	dir := e.limits.Scratch
	ofConfig := t.Old != nil && t.Change.Class != plan.ClassNone
	s, err := e.stepMaker().On(ctx, 0, p.Snap, p, t, ofConfig)
	if err != nil {
		return err
	}
	if err := s.Divert(dir); err != nil {
		return err
	}
	r, err := s.Execute(ctx)
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name, err)
	}
	if r.Held != nil {
		h := holdOf(t.Name, r.Held)
		if ofConfig {
			h = t.WaitingRebuild(h)
			t.Keep()
		}
		p.Holds = append(p.Holds, h)
		return nil
	}
	counts := r.Done.Counts
	t.Exact, t.Counts = true, &counts
	t.Partitions, t.BytesToWrite = counts.Partitions, counts.Written
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
