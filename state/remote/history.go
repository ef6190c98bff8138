package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/files"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
)

// history reads the log and the checkpoints of a state, with a cache of its own. It may
// be used by several goroutines.
type history struct {
	format statefile.Format
	chain  *chain.Chain
	cache  cache
	dir    string // for files of this process; empty is the system's
}

func (s *history) newReplica() *replica { return &replica{s.format.NewPrivate(s.dir)} }

// headReplica is a replica of the newest record.
type headReplica struct {
	*replica
	shared  bool     // its file is that of the cache
	saved   uint64   // serial of the record of the newest checkpoint
	notices []string // of damage that does no harm
}

// head returns a replica of the newest record, which is the caller's.
func (s *history) head(ctx context.Context) (_ *headReplica, err error) {
	r := s.cached()
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	begun := r.position()
	loaded, err := s.chain.Load(ctx, begun, func(ctx context.Context, k chain.Checkpoint) error { return s.useCheckpoint(ctx, k, r) })
	if err != nil {
		return nil, s.explain(err)
	}
	h := &headReplica{shared: loaded.Cached}
	for _, w := range loaded.Warnings {
		h.notices = append(h.notices, fmt.Sprintf("%v; an older checkpoint and the log give the same state", w))
	}
	if len(loaded.Checkpoints) > 0 {
		h.saved = loaded.Checkpoints[0].Serial
	}
	if loaded.From == nil && !loaded.Cached && r.position().Serial > 0 { // the cache was of another state, or a checkpoint went bad
		if err := r.close(); err != nil {
			return nil, err
		}
		r = s.newReplica()
	}
	if len(loaded.Records) > 0 && h.shared {
		if r, err = r.detach(ctx); err != nil {
			return nil, err
		}
		h.shared = false
	}
	if err := s.replay(ctx, r, loaded.Records); err != nil {
		return nil, err
	}
	if !h.shared {
		_ = s.cache.keep(ctx, r)
	}
	h.replica = r
	return h, nil
}

// cached returns the replica in the cache, or one of no state.
func (s *history) cached() *replica {
	r := s.newReplica()
	f := s.cache.newest()
	if f == nil {
		return r
	}
	if err := r.Open(f); err != nil || r.Meta.Slot == 0 {
		_ = f.Close()
		return s.newReplica()
	}
	return r
}

// useCheckpoint makes a checkpoint the content of a replica.
func (s *history) useCheckpoint(ctx context.Context, k chain.Checkpoint, r *replica) error {
	h, err := s.chain.OpenCheckpoint(ctx, k)
	if err != nil {
		return err
	}
	defer h.Close()
	f, err := files.Temp(s.dir)
	if err != nil {
		return fmt.Errorf("a copy of the state: %w", err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.NewSectionReader(h, 0, k.Size), make([]byte, 1<<20))
	if err == nil {
		err = r.Open(f)
	}
	if err != nil {
		_ = f.Close()
	}
	switch {
	case errors.Is(err, state.ErrDamaged):
		return s.chain.DamagedCheckpoint(k, err.Error())
	case err == nil && r.position() != k.Position:
		return s.chain.DamagedCheckpoint(k, fmt.Sprintf("it holds the state after record %d", r.Meta.Slot))
	}
	return err
}

// replay applies records to a replica.
func (s *history) replay(ctx context.Context, r *replica, records []*chain.Record) error {
	for _, rec := range records {
		payload, err := s.chain.Payload(ctx, rec)
		if err != nil {
			return s.explain(err)
		}
		if len(payload) == 0 {
			err = r.skip(rec)
		} else {
			err = s.replayTx(r, rec, payload)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *history) replayTx(r *replica, rec *chain.Record, payload []byte) error {
	c, err := kv.DecodeChanges(payload)
	if err == nil {
		err = r.apply(c, rec)
	}
	if err != nil {
		return &state.DamagedError{Path: s.format.Place, Remote: true, Reason: fmt.Sprintf("record %d of its log: %v", rec.Serial, err)}
	}
	return nil
}

// explain turns what the log says into the errors of this package.
func (s *history) explain(err error) error {
	var damage *chain.DamagedError
	var newer *chain.NewerError
	switch {
	case errors.As(err, &damage):
		return &state.DamagedError{Path: s.format.Place, Remote: true, Reason: damage.Error()}
	case errors.As(err, &newer):
		return &state.VersionError{Path: s.format.Place, Found: uint32(newer.Found), Supported: newer.Newest,
			Writer: cmp.Or(newer.Program, "of a later version"), Needs: newer.Needs, Reader: s.format.Program}
	}
	return err
}
