package engine

import (
	"context"

	"reconcile/config"
	"reconcile/engine/planner"
	"reconcile/engine/verify"
	"reconcile/state"
)

// NewVerifier compares what the sinks of an engine hold with what its source says.
func NewVerifier(e *Engine) *verify.Verifier {
	return &verify.Verifier{Source: e.source, Lake: e.lake, Budget: e.limits.Budget, Unit: e.cfg.Source.TimeUnit,
		Load: func(ctx context.Context) (*state.Snapshot, error) {
			snap, err := e.store.Load(ctx)
			if err == nil {
				e.declared.ResolveRoots(snap)
			}
			return snap, err
		},
		Place: e.store.Place(), Check: e.lake.CheckHome,
		Key:       func(verifier string) []byte { return e.cfg.MaskKey(verifier) },
		Partition: config.ParsePartition,
		StateMapping: func(ctx context.Context, ref state.Ref, each func(from, to int64, time *int64)) error {
			m, err := planner.LoadMapping(ctx, e.store, ref)
			if err != nil {
				return err
			}
			for i := range m.Len() {
				if t, ok := m.Time(i); ok {
					each(m.From(i), m.To(i), &t)
				} else {
					each(m.From(i), m.To(i), nil)
				}
			}
			return nil
		},
		Scratch: e.scratch().ForPlan, Meter: e.meter.Meter}
}
