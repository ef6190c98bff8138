package remote

import (
	"context"
	"errors"
	"fmt"

	"reconcile/internal/failpoint"
	"reconcile/state"
	"reconcile/state/internal/chain"
)

// recordsPerCheckpoint is how many records a reader without a cache has to read at most.
const recordsPerCheckpoint = 64

// checkpoint writes the checkpoint of the replica. That it cannot is no error of the
// work: the log has it all, and the next one does as well.
func (l *session) checkpoint(ctx context.Context) {
	if l.replica.Meta.Slot == l.saved || !l.held.Valid() || failpoint.Hit(ctx, failpoint.CheckpointBefore) != nil {
		return
	}
	f, size, err := l.replica.Compacted()
	if err != nil {
		return
	}
	defer f.Close()
	if l.log.chain.PutCheckpoint(ctx, l.replica.position(), f, size) == nil && failpoint.Hit(ctx, failpoint.CheckpointAfter) == nil {
		l.saved = l.replica.Meta.Slot
	}
}

// collect removes entries, checkpoints and objects that no reader needs any more.
//
// Of objects: only the holder of a lease names those of its generation, and a checkpoint
// that is more than a day old, made under a later lease, shows which of them it did. So
// if neither the state nor that checkpoint names one, nothing has named it for more than a
// day.
func (l *session) collect(ctx context.Context, keep func(id string) bool) (int, error) {
	col := l.collection(keep)
	col.Then = func(ctx context.Context, k chain.Checkpoint) (func(string) bool, error) {
		then, err := l.log.namedBy(ctx, k)
		return then.may, err
	}
	done, err := l.log.chain.Collect(ctx, col)
	l.warn(done.Warnings)
	return done.Removed, err
}

func (l *session) collection(keep func(id string) bool) chain.Collection {
	return chain.Collection{Head: l.replica.position(), Generation: l.held.Generation(), Live: keep}
}

// Compact takes what deleted records left behind at once: from the replica and the
// cache, and from the log, older checkpoints and objects. What has to go by hand, it
// warns of.
func (l *session) Compact(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if l.replica.Meta.Slot == 0 {
		return nil
	}
	if err := l.replica.Compact(); err != nil {
		return fmt.Errorf("compact state: %w", err)
	}
	if l.checkpoint(ctx); l.saved != l.replica.Meta.Slot {
		return fmt.Errorf("compact state: the checkpoint after record %d could not be written: run again", l.replica.Meta.Slot)
	}
	snap, err := l.replica.Load()
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for ref := range snap.Refs() {
		live[ref.ID()] = true
	}
	done, err := l.log.chain.Expunge(ctx, l.collection(func(id string) bool { return live[id] }), l.replica.Meta.Slot)
	l.warn(done.Warnings)
	if done.Stubs+done.Removed > 0 {
		l.warn([]error{fmt.Errorf("if the bucket keeps versions, the noncurrent ones below %s still hold plain values that a mask hides by now: remove them by hand", l.place)})
	}
	if len(done.Backups) > 0 {
		l.warn([]error{&state.PlainBackupsError{Folder: l.place + "/" + keptFolder, Names: done.Backups}})
	}
	return errors.Join(err, l.log.cache.keep(ctx, l.replica))
}

// warn keeps what is to be told at the end.
func (l *session) warn(errs []error) {
	for _, err := range errs {
		l.warnings = append(l.warnings, err.Error())
	}
}

// Warnings returns what went wrong without harm.
func (l *session) Warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.warnings
}
