package commit

import (
	"context"
	"errors"
	"fmt"

	"reconcile/engine/lake"
	"reconcile/internal/blob"
	"reconcile/internal/failpoint"
	"reconcile/sinks"
	"reconcile/state"
)

// current.json is replaced on the condition that it is what was read, and no entry goes
// to a smaller commit, or from complete to incomplete of the same one. So nobody who was
// paused, and no request that a store carries out late, takes back what a later holder of
// the lock said (C15).

// Announcer writes what current.json says, under one lock of the state.
type Announcer struct {
	lock *state.Lock
	lake *lake.Lake
	home *lake.Home
}

// NewAnnouncer returns what announces under a lock.
func NewAnnouncer(l *state.Lock, o Options) *Announcer {
	return &Announcer{lock: l, lake: o.Lake, home: o.Home}
}

// currentTries is how often current.json is read and judged again when somebody else
// wrote it in between.
const currentTries = 10

// Announce tells the readers of each sink what stands there: that a commit is incomplete
// before the first move, and complete after the last step (C5). It returns the sinks where
// the commit was complete before.
func (a *Announcer) Announce(ctx context.Context, lineage string, roots []string, p *state.Publish, t *state.Table, complete bool) (done map[string]bool, err error) {
	point := failpoint.PublishIncomplete
	if complete {
		point = failpoint.PublishComplete
	}
	done = map[string]bool{}
	for _, root := range roots {
		if err := failpoint.Hit(ctx, point); err != nil {
			return nil, err
		}
		err := a.Edit(ctx, root, lineage, func(cur *sinks.Current) (write bool, err error) {
			write, done[root], err = a.announceTable(ctx, root, cur, p, t, complete)
			return write, err
		})
		if err != nil {
			return nil, err
		}
	}
	return done, nil
}

// announceTable makes cur say of a table in a sink what a commit makes of it, and reports
// whether that is new; done says that the commit was complete already.
func (a *Announcer) announceTable(ctx context.Context, root string, cur *sinks.Current, p *state.Publish, t *state.Table, complete bool) (write, done bool, err error) {
	was, had := cur.Tables[p.Table]
	if had && was.Commit > p.Commit {
		return false, false, lake.FoundNewer(ctx, a.lock, a.home.OlderText(root, was.Commit, p.Commit))
	}
	entry, stays := currentTable(root, p, t, complete)
	switch {
	case stays && had && was.Commit == p.Commit && !lake.SameContent(was, entry):
		return false, false, lake.FoundNewer(ctx, a.lock, a.home.OtherText(root, p.Commit))
	case stays && had && was.Commit == p.Commit && was.Complete:
		return false, true, nil
	case stays:
		cur.Tables[p.Table] = entry
	case !had:
		return false, false, nil
	case complete:
		delete(cur.Tables, p.Table)
	default:
		was.Commit, was.Complete = p.Commit, false
		cur.Tables[p.Table] = was
	}
	return true, false, nil
}

// Edit changes what the current.json of a sink says. edit is called with what it
// says, again if somebody else writes it meanwhile, and reports whether it changed that.
// A sink of another lineage is refused (C12).
//
// What this command wrote itself is not read again: the condition on its version tells
// whether it is still there. Where nothing is to be written, what is there is read.
func (a *Announcer) Edit(ctx context.Context, root, lineage string, edit func(cur *sinks.Current) (bool, error)) error {
	for n := 1; ; n++ {
		says, wrote, err := a.head(ctx, root)
		if err != nil {
			return err
		}
		cur := says.Current
		if cur == nil {
			cur = &sinks.Current{Version: 1, Lineage: lineage}
		}
		if cur.Lineage != lineage {
			return a.lake.OtherLineage(root, cur.Lineage, lineage)
		}
		if cur.Tables == nil {
			cur.Tables = map[string]sinks.CurrentTable{}
		}
		write, err := edit(cur)
		if wrote && (err != nil || !write) {
			continue
		}
		if err != nil || !write {
			return err
		}
		cur.State = a.home.Place
		err = a.setCurrent(ctx, root, cur, says.Version)
		if !errors.Is(err, sinks.ErrCurrentChanged) {
			return err
		}
		if n >= currentTries {
			return fmt.Errorf("sink %s: %w", root, err)
		}
		if err := a.lock.Confirm(ctx); err != nil {
			return err
		}
	}
}

// head returns what the current.json of a sink says. wrote tells that this command wrote
// it, and that nobody looked whether it is still there.
func (a *Announcer) head(ctx context.Context, root string) (says lake.Head, wrote bool, err error) {
	if head := lake.Written(a.lake, root); head != nil {
		return *head, true, nil
	}
	says, err = a.lake.Head(ctx, root)
	return says, false, err
}

// setCurrent replaces a version of current.json. A lock that dies with its process leaves
// nobody behind who could write at the same time: there a store need not keep conditions.
// What is written without one is read the next time: nobody would find out that it is not
// there any more.
func (a *Announcer) setCurrent(ctx context.Context, root string, cur *sinks.Current, version string) error {
	now, err := a.lake.Sink(root).SetCurrent(ctx, cur, version)
	if errors.Is(err, blob.ErrUnsupported) && a.lock.Generation() == 0 {
		_, err = a.lake.Sink(root).SetCurrent(ctx, cur, sinks.AnyVersion)
		return err
	}
	if err == nil {
		cur.Writes++
		lake.NoteWritten(a.lake, root, lake.Head{Current: cur, Version: now})
	}
	return err
}

// currentTable describes a table in a sink; ok is false when the sink no longer
// holds it.
func currentTable(root string, p *state.Publish, t *state.Table, complete bool) (_ sinks.CurrentTable, ok bool) {
	if t == nil || p.Forget {
		return sinks.CurrentTable{}, false
	}
	return lake.EntryOf(t, root, p.Commit, complete)
}

// Restate writes the current.json of a sink again where only that was wrong of some
// tables. What is of a greater commit stays as it is: the plan did not see it, and the
// next one judges it.
func (a *Announcer) Restate(ctx context.Context, root, lineage string, tables []*state.Table) error {
	return a.Edit(ctx, root, lineage, func(cur *sinks.Current) (changed bool, err error) {
		for _, t := range tables {
			if cur.Tables[t.Name].Commit > t.Commit {
				continue
			}
			cur.Tables[t.Name], _ = lake.EntryOf(t, root, t.Commit, true)
			changed = true
		}
		return changed, nil
	})
}
