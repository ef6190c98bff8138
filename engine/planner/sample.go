package planner

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/internal/feed"
)

const (
	// mostSampled is of how many tables Sample looks at most: of those that are the most to read.
	mostSampled = 256
	// sampledAtOnce is how many files it has open at once.
	sampledAtOnce = 16
)

// Sample looks how many rows the first block has of a part file of each table that has none
// yet, so that it can be said how much work they are. Files that cannot be read tell nothing
// here: who needs their rows says so.
func Sample(ctx context.Context, src partfile.Opener, tables []*Table) error {
	var g errgroup.Group
	g.SetLimit(sampledAtOnce)
	for _, t := range toSample(tables) {
		g.Go(func() error {
			key, err := newestFile(t)
			if err != nil || key == "" {
				return err
			}
			if rows, bytes, fields, err := partfile.Sample(ctx, src, key); err == nil {
				t.sampled = exec.Extent{Bytes: bytes, Rows: rows, Columns: fields}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// toSample are the tables that Sample looks at.
func toSample(tables []*Table) []*Table {
	size := map[*Table]int64{}
	var out []*Table
	for _, t := range tables {
		if t.Kind != feed.KindMapping && (t.Old == nil || t.Old.Rows == 0) {
			in, _, _ := liveBytes(t)
			size[t] = in + t.rereads
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b *Table) int { return cmp.Compare(size[b], size[a]) })
	return out[:min(len(out), mostSampled)]
}

// newestFile is a part file of the newest delivery that has one and can be taken, empty
// without one.
func newestFile(t *Table) (string, error) {
	for _, d := range slices.Backward(t.All) {
		if _, bad := t.Bad[d.Dump]; bad {
			continue
		}
		for key, err := range d.Entry.Files.All() {
			return key, err
		}
	}
	return "", nil
}
