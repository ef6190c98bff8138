package ingest

import (
	"context"
	"iter"

	"reconcile/engine/exec"
)

// Scan reads files without decoding them: it counts what AvroFiles counts, and
// takes the digests.
func (g *Ingest) Scan(ctx context.Context, src exec.Source, files iter.Seq2[File, error]) error {
	plans, j := Plans{Schema: g.Schema, Formats: g.Formats}, new(job)
	blocks := g.blocks(ctx, src, files)
	defer blocks.close()
	defer j.block.Free()
	for {
		ok, err := blocks.next(ctx, j)
		if err != nil || !ok {
			return err
		}
		g.count(plans.Of(j.format), j)
		j.block.Free()
	}
}
