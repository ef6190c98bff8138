package ingest

import (
	"context"

	"reconcile/engine/exec"
)

// Scan reads files without decoding them: it counts what AvroFiles counts, and
// takes the digests.
func (g *Ingest) Scan(ctx context.Context, src exec.Source, files []File) error {
	plans, j := Plans{Schema: g.Schema, Formats: g.Formats}, new(job)
	blocks := g.blocks(src, files)
	defer blocks.close()
	for {
		ok, err := blocks.next(ctx, j)
		if err != nil || !ok {
			return err
		}
		p, err := plans.Of(j.format)
		if err != nil {
			return j.file.unusable(err)
		}
		g.count(p, j)
	}
}
