package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"reconcile/engine/lake"
	"reconcile/sinks"
	"reconcile/state"
)

// Recover finishes what an earlier apply committed and did not make visible.
// Every apply does this before it plans. A commit whose sink fails stays for the
// next apply; its table is held. One in a sink that is to be forgotten is
// finished when that is done. Where there was nothing to finish, the plan that
// follows goes by the state as it was loaded here.
func (e *Engine) Recover(ctx context.Context, l *state.Lock) (tables []string, err error) {
	snap, err := e.declared.Load(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	leaving, err := e.sinksLeaving(ctx, snap)
	if err != nil {
		return nil, err
	}
	if len(snap.Publishes) == 0 {
		e.loaded = snap
		return nil, nil
	}
	if err := e.lake.CheckHome(ctx, snap); err != nil {
		return nil, err
	}
	for _, p := range snap.Publishes {
		t := snap.Tables[p.Table]
		if e.stuck[p.Table] != nil || leaving[p.Table] {
			continue
		}
		err := e.finish(ctx, l, snap, p, t)
		if lake.Gone(err) {
			e.stuck[p.Table] = err
			continue
		}
		if errors.Is(err, sinks.ErrStagedLost) {
			err = e.abandon(ctx, l, p, err)
		}
		if err != nil {
			err = fmt.Errorf("finishing the interrupted commit of table %s: %w", p.Table, err)
			if !e.lake.StopsTable(ctx, err) {
				return tables, err
			}
			e.stuck[p.Table] = err
			continue
		}
		tables = append(tables, p.Table)
	}
	return tables, nil
}

// finish carries out what is left of a publish list that was found in the state.
func (e *Engine) finish(ctx context.Context, l *state.Lock, snap *state.Snapshot, p *state.Publish, t *state.Table) error {
	if err := e.mayPublish(ctx, l, snap, p, t); err != nil {
		return err
	}
	rest, roots, err := e.lake.WithoutLost(ctx, snap, p, e.publishRoots(p, t))
	if err != nil {
		return err
	}
	return e.publishIn(ctx, roots, l, snap.Lineage, rest, t, snap.Partitions[p.Table])
}

// sinksLeaving tells of which tables a sink is to be forgotten, or known at another
// place.
func (e *Engine) sinksLeaving(ctx context.Context, snap *state.Snapshot) (map[string]bool, error) {
	moving, _, err := e.sinksToMove(snap)
	if err != nil {
		return nil, err
	}
	forgetting, _, err := e.sinksToForget(snap)
	if err != nil {
		return nil, err
	}
	out, roots := map[string]bool{}, map[string]bool{}
	leave := func(tables []string, at ...string) {
		for _, name := range tables {
			out[name] = true
		}
		for _, root := range at {
			roots[root] = true
		}
	}
	for _, m := range moving {
		leave(m.Tables, m.From, m.To)
	}
	for _, f := range forgetting {
		leave(f.Tables, f.Root)
	}
	return out, e.checkMovedLists(ctx, snap, roots)
}

// mayPublish refuses to finish a commit in sinks that a newer state has written since,
// or another one.
func (e *Engine) mayPublish(ctx context.Context, l *state.Lock, snap *state.Snapshot, p *state.Publish, t *state.Table) error {
	for _, root := range e.publishRoots(p, t) {
		says, err := e.lake.Head(ctx, root)
		switch {
		case err != nil:
			return err
		case says.Current == nil:
		case says.Current.Lineage != snap.Lineage:
			return e.lake.OtherLineage(root, says.Current.Lineage, snap.Lineage)
		case says.Current.Tables[p.Table].Commit > p.Commit:
			return lake.FoundNewer(ctx, l, e.home.OlderText(root, says.Current.Tables[p.Table].Commit, p.Commit))
		}
	}
	return nil
}

// abandon replaces a publish list that can no longer be carried out by a mark
// that has the table rebuilt.
func (e *Engine) abandon(ctx context.Context, l *state.Lock, p *state.Publish, why error) error {
	m := &state.LostCommit{Why: why.Error()}
	for _, s := range p.Steps {
		if s.Staged == "" {
			m.Left = append(m.Left, s)
		}
	}
	return l.Update(ctx, func(tx *state.Tx) error {
		return errors.Join(tx.DeletePublish(p.Table), tx.SetLost(p.Table, m))
	})
}

// tidy removes what earlier commits and interrupted applies left: staged and
// spilled files, objects that nothing names, plain values that a mask hides by
// now. Where there is nothing of the kind it writes nothing. snap is the state as
// it is.
func (e *Engine) tidy(ctx context.Context, l *state.Lock, snap *state.Snapshot) error {
	if err := errors.Join(e.sweepSinks(ctx, l, snap), e.sweepScratch()); err != nil {
		return err
	}
	keep := referenced(snap)
	if _, err := l.Collect(ctx, keep); err != nil {
		return err
	}
	if !snap.PlainLeft {
		return nil
	}
	err := l.Update(ctx, func(tx *state.Tx) error {
		tx.CollectInline(snap, keep)
		return tx.SetPlainLeft(true)
	})
	if err != nil {
		return err
	}
	if err := l.Compact(ctx); err != nil {
		return err
	}
	return l.Update(ctx, func(tx *state.Tx) error { return tx.SetPlainLeft(false) })
}

// referenced tells, by its ID, which objects of the state are named.
func referenced(snap *state.Snapshot) func(id string) bool {
	keep := map[string]bool{}
	for ref := range snap.Refs() {
		keep[ref.ID()] = true
	}
	return func(id string) bool { return keep[id] }
}

// scratchPrefix begins the names of this state's folders in scratch_dir, which
// other states may use too.
func (e *Engine) scratchPrefix() string {
	sum := sha256.Sum256([]byte(e.store.Place()))
	return "apply-" + hex.EncodeToString(sum[:8]) + "-"
}

// sweepScratch removes the scratch folders of applies that were killed: under
// the lock of the state nobody else has one.
func (e *Engine) sweepScratch() error {
	list, err := os.ReadDir(e.cfg.ScratchDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range list {
		if strings.HasPrefix(d.Name(), e.scratchPrefix()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(e.cfg.ScratchDir, d.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("scratch_dir: %w", err)
	}
	return nil
}
