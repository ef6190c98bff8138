package events

import (
	"context"
	"slices"

	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/internal/column"
	"reconcile/internal/feed"
)

// standInEvents feeds published rows of dumps that are gone to the ingest, as rows of its
// schema.
func standInEvents(ctx context.Context, g *ingest.Ingest, r *pass.Run) error {
	conv := g.Schema.Conversions(r.Old.Columns)
	want := []column.Column{{Name: r.Old.Key, Type: column.Int64Type}, {Name: feed.RawUserID, Type: column.Int64Type}, {Name: feed.DumpID, Type: column.Int64Type}}
	for _, c := range conv {
		if c.From != nil {
			want = append(want, *c.From)
		}
	}
	takes := func(dump int64) bool { return slices.Contains(r.Stands.Dumps, dump) && r.Task.Live(dump) }
	var b *builder
	seal := func() error {
		full := b
		b = nil
		g.Rounded += full.rounded
		return g.Keep(ctx, full.seal())
	}
	err := r.Stands.Each(ctx, want, func(in *column.Batch) error {
		if b == nil {
			b = newBuilder(g.Schema)
		}
		if err := b.addState(in, r.Old.Key, conv, r.Rank, takes); err != nil {
			return err
		}
		if b.memory() < g.Limits.Budget.Collecting() {
			return nil
		}
		return seal()
	})
	if err != nil || b == nil {
		return err
	}
	return seal()
}
