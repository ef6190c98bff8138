package events

import (
	"context"
	"slices"

	"reconcile/engine/native/ingest"
	"reconcile/engine/native/pass"
	"reconcile/internal/column"
)

// standInEvents feeds published rows of dumps that are gone to the ingest, as rows of its
// schema.
func standInEvents(ctx context.Context, g *ingest.Ingest, r *pass.Run) error {
	b := newBuilder(g, r, func(dump int64) bool { return slices.Contains(r.Stands.Dumps, dump) && r.Task.Live(dump) })
	err := r.Stands.Each(ctx, b.layout.Columns, func(in *column.Batch) error { return b.add(ctx, in) })
	if err != nil {
		return err
	}
	return b.seal(ctx)
}
