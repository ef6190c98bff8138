package engine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"reconcile/engine/exec"
	"reconcile/sinks"
	"reconcile/state"
)

// A copy that a store was asked for and has not begun takes its bytes from a staged
// file, or from the parts of an upload: once these are gone it changes nothing, however
// late it is carried out. So the next transaction of a table waits until what its
// earlier commits staged is gone from all its sinks and their unfinished moves are given
// up. A table whose sink cannot be swept is held.

// unsweptError is of a table that is visible as a whole, and whose sink could not be
// swept after that.
type unsweptError struct {
	table string
	err   error
}

func (e *unsweptError) Error() string {
	return fmt.Sprintf("table %s is committed and visible, but what was staged for it could not be removed (no commit of the table follows before that is done; the next apply tries again): %v", e.table, e.err)
}

func (e *unsweptError) Unwrap() error { return e.err }

// sweepSink removes from a sink what was staged and is not to be kept, and gives up
// unfinished moves to folders.
func (e *Engine) sweepSink(ctx context.Context, l *state.Lock, root string, keep, folders []string) error {
	return e.lake.Sweep(ctx, root, sinks.Sweeping{Generation: l.Generation(), Keep: keep, Folders: folders})
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
	for _, name := range sortedKeys(snap.Tables) {
		out = append(out, foldersIn(root, nil, snap.Tables[name])...)
	}
	for _, p := range snap.Publishes {
		out = append(out, foldersIn(root, p, nil)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sweepBefore sees, before a transaction of a table, that each sink where the state has
// it is swept. attempt is what the transaction is going to name.
func (e *Engine) sweepBefore(ctx context.Context, l *state.Lock, t *state.Table, attempt string) error {
	if t == nil {
		return nil
	}
	var keep []string
	for _, s := range t.Sinks {
		if e.lake.Swept(s.Root) {
			continue
		}
		if keep == nil {
			snap, err := e.declared.Load(ctx, l)
			if err != nil {
				return err
			}
			keep = append(append(attempts(snap), e.spared...), attempt)
			if err := snap.Close(); err != nil {
				return err
			}
			keep = slices.DeleteFunc(keep, func(name string) bool { return name == "" })
		}
		if _, err := e.lake.Open(ctx, s.Root, s.Compression); err != nil {
			return err
		}
		if err := e.sweepSink(ctx, l, s.Root, keep, []string{s.Folder}); err != nil {
			return err
		}
	}
	return nil
}

// sweepSinks removes staged files that no publish list names. A sink that
// nothing was published to yet is left alone: what is staged there can be
// another state's.
func (e *Engine) sweepSinks(ctx context.Context, l *state.Lock, snap *state.Snapshot) error {
	for _, root := range e.lake.Roots() {
		if e.lake.Down(root) != nil {
			continue
		}
		ours, err := e.lake.Ours(ctx, root, snap.Lineage)
		if err == nil && ours {
			err = e.sweepSink(ctx, l, root, append(attempts(snap), e.spared...), allFoldersIn(root, snap))
		}
		if err != nil && !e.lake.StopsTable(ctx, err) {
			return err
		}
	}
	return nil
}

// attempts names the staging folders that commits under way still need.
func attempts(snap *state.Snapshot) []string {
	var out []string
	for _, p := range snap.Publishes {
		out = append(out, p.Attempt)
	}
	return out
}

// sweep removes what a task staged, and spares what commits under way need.
func (e *Engine) sweep(ctx context.Context, l *state.Lock, t *exec.Task) error {
	ctx = context.WithoutCancel(ctx)
	snap, err := l.Load(ctx)
	if err != nil {
		return err
	}
	errs := []error{snap.Close()}
	for _, target := range t.Sinks {
		o := sinks.Sweeping{Generation: l.Generation(), Keep: append(attempts(snap), e.spared...)}
		errs = append(errs, e.lake.Sink(target.Root).Sweep(ctx, o))
	}
	return errors.Join(errs...)
}
