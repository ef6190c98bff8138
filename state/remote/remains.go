package remote

import (
	"context"
	"errors"

	"reconcile/state"
	"reconcile/state/internal/chain"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statefile"
)

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
func (s *history) namedBy(ctx context.Context, k chain.Checkpoint) (*named, error) {
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
	snap, err := r.Load()
	if err != nil {
		return nil, err
	}
	n := &named{names: map[string]bool{}, generation: r.Meta.Generation}
	for ref := range snap.Refs() {
		n.names[ref.ID()] = true
	}
	return n, nil
}

// known gathers the greatest serial and generation that what is left of a state tells
// of, and its lineage.
func (s *history) known(ctx context.Context, rem *chain.Remains) (m statefile.Meta) {
	note := func(lineage string, serial, generation uint64) {
		if lineage != "" {
			m.Lineage = lineage
		}
		m.Serial, m.Generation = max(m.Serial, serial), max(m.Generation, generation)
	}
	for _, k := range rem.Checkpoints {
		r := s.newReplica()
		if s.useCheckpoint(ctx, k, r) == nil {
			note(r.Meta.Lineage, r.Meta.Serial, r.Meta.Generation)
		}
		_ = r.close()
	}
	for _, rec := range rem.Records {
		note(rec.Lineage, 0, rec.Generation)
		payload, err := s.chain.Payload(ctx, rec)
		if err != nil || len(payload) == 0 {
			continue
		}
		if c, err := kv.DecodeChanges(payload); err == nil {
			note(c.Lineage, c.Serial, 0)
		}
	}
	return m
}

// newestGeneration is that of the newest record, for a lease that is gone.
func (s *history) newestGeneration(ctx context.Context) (uint64, bool, error) {
	h, err := s.head(ctx)
	if errors.Is(err, state.ErrDamaged) {
		rem, err := s.chain.Remains(ctx)
		if err != nil {
			return 0, false, err
		}
		return s.known(ctx, rem).Generation, true, nil
	}
	if err != nil {
		return 0, false, err
	}
	return h.Meta.Generation, h.Meta.Slot > 0, h.close()
}
