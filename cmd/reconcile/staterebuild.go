package main

import (
	"context"
	"errors"
	"fmt"
	"reconcile/engine/rebuild"
	"reconcile/internal/amount"
	"runtime/debug"
	"strings"
)

// stateRebuild rebuilds a lost state. It continues a rebuild that was interrupted after
// the state was made.
func (s *session) stateRebuild(ctx context.Context, o *stateOptions) (err error) {
	if !o.autoApprove && (o.json || !o.input || !isTerminal(s.stdin)) {
		return errors.New("state rebuild asks before it changes anything, and here there is nobody to ask: give -auto-approve to go on without a question")
	}
	o.needsKeys = true
	e, cfg, err := s.engine(ctx, &o.engineFlags)
	if err != nil {
		return err
	}
	lock, err := e.States().LockOver(ctx, "state rebuild")
	if err != nil {
		return err
	}
	ctx = lock.Context(ctx)
	defer func() { err = s.unlock(ctx, lock, err) }()
	r := e.Rebuilder()
	sr, err := r.Plan(ctx, lock)
	if errors.Is(err, rebuild.ErrWhole) {
		tables, rerr := e.Recover(ctx, lock)
		s.recovered(tables)
		if rerr != nil || len(tables) > 0 {
			return rerr
		}
	}
	if err != nil {
		return err
	}
	s.showRebuild(sr)
	if err := r.Refusal(sr); err != nil {
		return err
	}
	if !o.autoApprove {
		if err := s.confirm(ctx, "Do you want to make the state anew?", "state rebuild"); err != nil {
			return err
		}
	}
	s.limitMemory(cfg, sr.MappingEntries())
	defer debug.SetGCPercent(debug.SetGCPercent(applyGC))
	pr := s.view.progress(sr.Bytes())
	s.meter = pr.tell
	out, err := r.Rebuild(ctx, lock, sr)
	pr.stop()
	if out != nil {
		s.showRebuilt(out)
	}
	return err
}

// showRebuild says what is going to be done.
func (s *session) showRebuild(sr *rebuild.Plan) {
	why := "There is no state"
	if sr.Damage != "" {
		why = "The state cannot be read (" + sr.Damage + ")"
	}
	s.view.record("state_rebuild", rebuildLine{sr.State, sr.Lineage, sr.Damage, sr.Left}, "%s at %s. It is made anew from the source, by what _reconcile/current.json of the sinks says was applied. "+
		"Data files whose rows are right stay as they are.\n", why, sr.State)
	for _, t := range sr.Tables {
		lines := t.Losses()
		if t.Incomplete {
			lines = append([]string{"its last commit is not complete in the lake: it is completed from the source"}, lines...)
		}
		what := fmt.Sprintf("%s, %s to read, %s in the lake (commit %d)", amount.Of(len(t.Dumps), "dump"), size(t.Bytes), amount.Of(t.Files, "file"), t.Commit)
		if len(lines) == 0 {
			s.view.record("state_rebuild_table", newRebuildTableLine(t), "\n  table.%s: %s\n", t.Name, what)
			continue
		}
		s.view.record("state_rebuild_table", newRebuildTableLine(t), "\n  table.%s: %s\n    %s\n", t.Name, what, strings.Join(lines, "; "))
	}
	if len(sr.Left) > 0 {
		s.view.record("notice", map[string]any{"message": "in the lake, but no table block takes it: " + strings.Join(sr.Left, ", ")},
			"\nIn the lake, but no table block takes it: %s. The next plan says what can become of it.\n", strings.Join(sr.Left, ", "))
	}
}

// showRebuilt says what was done.
func (s *session) showRebuilt(r *rebuild.Rebuilt) {
	if r.Before != nil {
		s.keptBefore(r.Before)
	}
	if len(r.Tables) == 0 && r.Commit == 0 {
		return
	}
	kept, written, removed := 0, 0, 0
	for _, t := range r.Tables {
		kept, written, removed = kept+t.Kept, written+t.Written, removed+t.Removed
	}
	s.view.record("state_rebuilt", newRebuiltLine(r), "\nThe state is rebuilt, at commit %d: %s; %s kept, %d written, %d removed. `reconcile plan` says what is pending.\n",
		r.Commit, amount.Of(len(r.Tables), "table"), amount.Of(kept, "data file"), written, removed)
}
