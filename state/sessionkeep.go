package state

import (
	"context"
	"errors"
	"fmt"

	"reconcile/internal/failpoint"
	"reconcile/state/internal/chain"
)

// recordsPerCheckpoint is how many records a reader without a cache has to read at most.
const recordsPerCheckpoint = 64

// checkpointSometimes writes a checkpoint when many records were appended since the
// last one.
func (l *remoteSession) checkpointSometimes(ctx context.Context) {
	if l.replica.meta.Slot-l.saved >= recordsPerCheckpoint {
		l.checkpoint(ctx)
	}
}

// checkpoint writes the checkpoint of the replica. That it cannot is no error of the
// work: the log has it all, and the next one does as well.
func (l *remoteSession) checkpoint(ctx context.Context) {
	if l.replica.meta.Slot == l.saved || !l.held.Valid() || failpoint.Hit(ctx, failpoint.CheckpointBefore) != nil {
		return
	}
	f, size, err := l.replica.compacted(l.s.dir)
	if err != nil {
		return
	}
	defer f.Close()
	if l.s.chain.PutCheckpoint(ctx, l.replica.position(), f, size) == nil && failpoint.Hit(ctx, failpoint.CheckpointAfter) == nil {
		l.saved = l.replica.meta.Slot
	}
}

// collect removes entries, checkpoints and objects that no reader needs any more.
//
// Of objects: only the holder of a lease names those of its generation, and a checkpoint
// that is more than a day old, made under a later lease, shows which of them it did. So
// one that neither the state nor that checkpoint names was let go, if it ever was named,
// before the checkpoint: more than a day ago.
func (l *remoteSession) collect(ctx context.Context, keep func(id string) bool) (int, error) {
	col := l.collection(keep)
	col.Then = func(ctx context.Context, k chain.Checkpoint) (func(string) bool, error) {
		then, err := l.s.namedBy(ctx, k)
		return then.may, err
	}
	done, err := l.s.chain.Collect(ctx, col)
	l.warn(done.Warnings)
	return done.Removed, err
}

// named tells which objects a checkpoint names, or its lease may have named later.
type named struct {
	names      map[string]bool
	generation uint64
}

func (n *named) may(name string) bool {
	generation, ok := chain.ObjectGeneration(name)
	return !ok || generation >= n.generation || n.names[name]
}

// namedBy reads which objects a checkpoint names. Of one that is damaged or gone, all
// that there are.
func (s *remote) namedBy(ctx context.Context, k chain.Checkpoint) (*named, error) {
	r := s.newReplica()
	defer func() { _ = r.close() }()
	err := s.useCheckpoint(ctx, k, r)
	var damage *chain.DamagedError
	if errors.As(err, &damage) || errors.Is(err, chain.ErrBeginAgain) {
		return &named{}, nil
	}
	if err != nil {
		return nil, err
	}
	snap, err := r.load()
	if err != nil {
		return nil, err
	}
	n := &named{names: map[string]bool{}, generation: r.meta.Generation}
	for ref := range snap.Refs() {
		n.names[ref.ID()] = true
	}
	return n, nil
}

func (l *remoteSession) collection(keep func(id string) bool) chain.Collection {
	return chain.Collection{Head: l.replica.position(), Generation: l.held.Generation(), Live: keep}
}

// Compact takes what deleted records left behind at once: from the replica and the
// cache, and from the log, older checkpoints and objects. What has to go by hand, it
// warns of.
func (l *remoteSession) Compact(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if l.replica.meta.Slot == 0 {
		return nil
	}
	if _, err := l.replica.compact(l.s.dir); err != nil {
		return fmt.Errorf("compact state: %w", err)
	}
	if l.checkpoint(ctx); l.saved != l.replica.meta.Slot {
		return fmt.Errorf("compact state: the checkpoint after record %d could not be written: run again", l.replica.meta.Slot)
	}
	snap, err := l.replica.load()
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for ref := range snap.Refs() {
		live[ref.ID()] = true
	}
	done, err := l.s.chain.Expunge(ctx, l.collection(func(id string) bool { return live[id] }), l.replica.meta.Slot)
	l.warn(done.Warnings)
	if done.Stubs+done.Removed > 0 {
		l.warn([]error{fmt.Errorf("if the bucket keeps versions, the noncurrent ones below %s still hold plain values that a mask hides by now: remove them by hand", l.s.place)})
	}
	if len(done.Backups) > 0 {
		l.warn([]error{heldInBackups(l.s.place+"/"+keptFolder, done.Backups)})
	}
	return errors.Join(err, l.s.cache.keep(ctx, l.replica))
}

// warn keeps what is to be told at the end.
func (l *remoteSession) warn(errs []error) {
	for _, err := range errs {
		l.warnings = append(l.warnings, err.Error())
	}
}

// Warnings returns what went wrong without harm.
func (l *remoteSession) Warnings() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.warnings
}
