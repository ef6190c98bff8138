package local

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
)

// session is the state.Session of a state in a file. It dies with its process.
type session struct {
	at      paths
	file    *file
	folder  *folder
	objects *objects
	lock    *os.File // nil when unlocked

	warnings []string
	// generation is the last one of the leases that the state had where it was before.
	generation uint64
}

// Context returns ctx: the lock is held until it is given back.
func (l *session) Context(ctx context.Context) context.Context { return ctx }

// Generation returns that of the file: who had the lock before is dead.
func (l *session) Generation() uint64 { return l.generation }

// Lost returns nil: the lock ends with its process.
func (l *session) Lost() error { return nil }

// Warnings returns which backups hold what an added mask hides.
func (l *session) Warnings() []string { return l.warnings }

// Confirm fails if the file of the lock was removed.
func (l *session) Confirm(context.Context) error { return l.check() }

// check fails when the lock is not held any more: unlocked, or its file removed
// by somebody, so that another process may hold a lock as well.
func (l *session) check() error {
	if l.lock == nil {
		return errors.New("the lock of the state is not held")
	}
	if !files.Same(l.lock, l.at.lock()) {
		return fmt.Errorf("the lock file %s was removed or replaced while it was held: run again", l.at.lock())
	}
	return nil
}

// Unlock gives the right back. A second call does nothing.
func (l *session) Unlock() error {
	if l.lock == nil {
		return nil
	}
	err := errors.Join(l.lock.Truncate(0), files.Release(l.lock))
	l.lock = nil
	if err != nil {
		return fmt.Errorf("unlock state: %w", err)
	}
	return nil
}

// Begin says of which lineage a state is that the session makes.
func (l *session) Begin(lineage string) { l.folder.begin(lineage) }

// Load is that of the backend for the holder of the lock, whose own snapshots do not
// keep his own collection waiting. Its Snapshot need not be closed.
func (l *session) Load(ctx context.Context) (*state.Snapshot, error) { return l.file.load(ctx) }

// Head returns the serial and the lineage of the file, or the lineage of a state about
// to be made.
func (l *session) Head(ctx context.Context) (state.Head, error) {
	if err := l.check(); err != nil {
		return state.Head{}, err
	}
	meta, exists, err := l.currentMeta(ctx)
	head := state.Head{Serial: meta.Serial, Lineage: meta.Lineage, Generation: meta.Generation}
	if exists {
		head.Raise = state.RaiseOf(meta.Format, l.file.format.Newest())
	}
	return head, err
}

// currentMeta returns the meta record, or that of a state about to be made.
func (l *session) currentMeta(ctx context.Context) (statefile.Meta, bool, error) {
	meta, exists, err := l.file.meta(ctx)
	if err == nil && !exists {
		meta.Lineage = l.folder.firstLineage()
	}
	return meta, exists && err == nil, err
}

// Commit applies a transaction to the file, in one transaction of bbolt. An error
// behind the commit itself (of the failpoint there, or of closing the file) leaves it
// in place.
func (l *session) Commit(ctx context.Context, tx *state.Tx) (state.Outcome, error) {
	if err := l.check(); err != nil {
		return state.Refused, err
	}
	c := tx.Changes()
	if c.Replaces {
		return l.replace(ctx, c)
	}
	meta, exists, err := l.currentMeta(ctx)
	if err != nil {
		return state.Refused, err
	}
	if meta.Serial != c.Before || exists && meta.Lineage != c.Lineage {
		return state.Refused, l.file.replacedMeanwhile()
	}
	l.file.format.Follow(&meta, c, l.file.format.Program)
	if exists {
		return l.file.commit(ctx, c, meta)
	}
	return l.create(ctx, c, meta)
}

// create makes the state with its first transaction.
func (l *session) create(ctx context.Context, c *kv.Changes, meta statefile.Meta) (state.Outcome, error) {
	out, born, err := l.file.create(ctx, c, meta)
	if err == nil && born {
		err = l.folder.newborn(ctx, meta.Lineage)
	}
	return out, err
}

// Over looks at the state file and the folder of its objects, which it marks where
// nobody's is.
func (l *session) Over(ctx context.Context, lineage string) (state.Base, error) {
	if err := l.check(); err != nil {
		return state.Base{}, err
	}
	st, err := l.file.standing(ctx)
	if err != nil {
		return state.Base{}, err
	}
	if have := st.meta.Lineage; have != "" && have != lineage {
		return state.Base{}, &state.LineageError{Place: l.at.file(), Lineage: have, What: "what is to replace it", Want: lineage}
	}
	if err := l.folder.take(ctx, lineage, st.whole()); err != nil {
		return state.Base{}, err
	}
	return state.Base{Serial: st.meta.Serial, Lineage: st.meta.Lineage, Generation: st.meta.Generation, Whole: st.whole(), Damage: st.damage}, nil
}

// replace commits a transaction that replaces all: on top of a state file that can be
// read, else in a new one, whose renaming is the commit.
func (l *session) replace(ctx context.Context, c *kv.Changes) (state.Outcome, error) {
	st, err := l.file.standing(ctx)
	if err != nil {
		return state.Refused, err
	}
	if st.whole() {
		if st.meta.Serial != c.Before || st.meta.Lineage != c.Lineage {
			return state.Refused, l.file.replacedMeanwhile()
		}
		l.file.format.Follow(&st.meta, c, l.file.format.Program)
		return l.file.commit(ctx, c, st.meta)
	}
	meta := statefile.Meta{}
	l.file.format.Follow(&meta, c, l.file.format.Program)
	return l.create(ctx, c, meta)
}

// Collect removes bulky objects. While anybody has a Snapshot of Load, nothing is
// removed: the next apply collects. A folder whose marker does not name the state is an
// error, and nothing is removed.
func (l *session) Collect(ctx context.Context, keep func(id string) bool) (removed int, err error) {
	if err := l.check(); err != nil {
		return 0, err
	}
	if err := failpoint.Hit(ctx, failpoint.CollectBefore); err != nil {
		return 0, err
	}
	if mine, err := l.folder.owned(ctx); err != nil {
		return 0, fmt.Errorf("collect objects: %w", err)
	} else if !mine {
		return 0, failpoint.Hit(ctx, failpoint.CollectAfter)
	}
	alone, err := l.file.readers.exclude()
	if err != nil || alone == nil {
		return 0, err
	}
	removed, err = l.objects.remove(ctx, keep)
	if err = errors.Join(err, alone.Close()); err != nil {
		return removed, fmt.Errorf("collect objects: %w", err)
	}
	return removed, failpoint.Hit(ctx, failpoint.CollectAfter)
}

// Adopt copies objects from the folder that earlier versions shared among states.
func (l *session) Adopt(ctx context.Context, refs iter.Seq[state.Ref]) error {
	return l.objects.adopt(ctx, refs)
}

// Compact rewrites the state file without its free pages, which still hold what
// was deleted. The content, the serial too, stays the same. On a damaged file
// it fails without touching it; without a file it does nothing.
func (l *session) Compact(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	ok, err := l.file.compacted(ctx)
	if err == nil && ok {
		err = failpoint.Hit(ctx, failpoint.StateCommitBefore)
		if err == nil {
			err = files.Rename(l.at.newFile(), l.at.file())
		}
	}
	if err != nil {
		return fmt.Errorf("compact state: %w", errors.Join(err, files.RemoveIfThere(l.at.newFile())))
	}
	if !ok {
		return nil
	}
	if w := backupsWarning(l.at.backups()); w != "" {
		l.warnings = append(l.warnings, w)
	}
	return failpoint.Hit(ctx, failpoint.StateCommitAfter)
}
