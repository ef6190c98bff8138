package commit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"reconcile/engine/lake"
	"reconcile/sinks"
	"reconcile/state"
)

// A copy that a store was asked for and has not begun takes its bytes from a staged
// file, or from the parts of an upload: once these are gone it changes nothing, however
// late it is carried out. So the next transaction of a table waits until what its
// earlier commits staged is gone from all its sinks and their unfinished moves are given
// up. A table whose sink still has some is held.

// StagedLeftError says of a table that it is visible as a whole, and that what was staged
// for it could not be removed after that.
type StagedLeftError struct {
	Table string
	Err   error
}

func (e *StagedLeftError) Error() string {
	return fmt.Sprintf("table %s is committed and visible, but what was staged for it could not be removed (no commit of the table follows before that is done; the next apply tries again): %v", e.Table, e.Err)
}

func (e *StagedLeftError) Unwrap() error { return e.Err }

// Cleaner removes what is staged and no longer needed, under one lock of the state.
type Cleaner struct {
	lock      *state.Lock
	lake      *lake.Lake
	declared  *lake.Declared
	protected *Protected
}

// NewCleaner returns what cleans under a lock.
func NewCleaner(l *state.Lock, o Options) *Cleaner {
	return &Cleaner{lock: l, lake: o.Lake, declared: o.Declared, protected: o.Protected}
}

// removeStaged removes from a sink what was staged and is not to be kept, and gives up
// unfinished moves to folders.
func (w *Cleaner) removeStaged(ctx context.Context, root string, keep, folders []string) error {
	return w.lake.RemoveStaged(ctx, root, sinks.StagedRemoval{Generation: w.lock.Generation(), Keep: keep, Folders: folders})
}

// Folders removes from the sinks of folders, by root, all that is not protected. No publish
// list may be open.
func (w *Cleaner) Folders(ctx context.Context, folders map[string][]string) error {
	for _, root := range slices.Sorted(maps.Keys(folders)) {
		if err := w.removeStaged(ctx, root, w.protected.attempts(), folders[root]); err != nil {
			return err
		}
	}
	return nil
}

// foldersIn lists the folders of a table in a sink: those where it is, and those that
// the steps of a publish list concern.
func foldersIn(root string, p *state.Publish, t *state.Table) []string {
	var out []string
	add := func(folder string) {
		if folder != "" && folder != "." && !slices.Contains(out, folder) {
			out = append(out, folder)
		}
	}
	if t != nil && t.SinkAt(root) >= 0 {
		add(t.Sinks[t.SinkAt(root)].Folder)
	}
	if p == nil {
		return out
	}
	for _, s := range p.Steps {
		if s.Sink == root {
			folder, _, _ := strings.Cut(path.Clean(s.Path), "/")
			add(folder)
		}
	}
	return out
}

// allFoldersIn lists the folders of all tables in a sink.
func allFoldersIn(root string, snap *state.Snapshot) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(snap.Tables)) {
		out = append(out, foldersIn(root, nil, snap.Tables[name])...)
	}
	for _, p := range snap.Publishes {
		out = append(out, foldersIn(root, p, nil)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkRemoved sees, before a transaction of a table, that nothing staged is left in the
// sinks where the state has it (C16). attempt is what the transaction is going to name;
// empty for none.
func (w *Cleaner) checkRemoved(ctx context.Context, t *state.Table, attempt string) error {
	if t == nil {
		return nil
	}
	var keep []string
	for _, s := range t.Sinks {
		if w.lake.StagedRemoved(s.Root) {
			continue
		}
		if keep == nil {
			needed, err := w.needed(ctx)
			if err != nil {
				return err
			}
			keep = slices.DeleteFunc(append(needed, attempt), func(name string) bool { return name == "" })
		}
		if _, err := w.lake.Open(ctx, s.Root); err != nil {
			return err
		}
		if err := w.removeStaged(ctx, s.Root, keep, []string{s.Folder}); err != nil {
			return err
		}
	}
	return nil
}

// All removes staged files that no publish list names from all sinks that are open (C9).
// A sink that nothing was published to yet is left alone: what is staged there can be
// another state's.
func (w *Cleaner) All(ctx context.Context, snap *state.Snapshot) error {
	for _, root := range w.lake.Roots() {
		if w.lake.Down(root) != nil {
			continue
		}
		ours, err := w.lake.Ours(ctx, root, snap.Lineage)
		if err == nil && ours {
			err = w.removeStaged(ctx, root, append(attempts(snap), w.protected.attempts()...), allFoldersIn(root, snap))
		}
		if err != nil && !w.lake.StopsTable(ctx, err) {
			return err
		}
	}
	return nil
}

// Attempt removes what an attempt that is given up staged in sinks, and leaves what
// commits under way need. It goes on where ctx has ended.
func (w *Cleaner) Attempt(ctx context.Context, staged []sinks.Sink) error {
	ctx = context.WithoutCancel(ctx)
	needed, err := w.needed(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, sink := range staged {
		errs = append(errs, sink.RemoveStaged(ctx, sinks.StagedRemoval{Generation: w.lock.Generation(), Keep: needed}))
	}
	return errors.Join(errs...)
}

// needed names the staging folders that stay: those that commits under way still need
// (C9), and those that are protected.
func (w *Cleaner) needed(ctx context.Context) ([]string, error) {
	names, err := w.lock.Attempts(ctx)
	return append(names, w.protected.attempts()...), err
}

// attempts names the staging folders that commits under way still need.
func attempts(snap *state.Snapshot) []string {
	var out []string
	for _, p := range snap.Publishes {
		out = append(out, p.Attempt)
	}
	return out
}
