package verify

import (
	"context"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/lake"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/state"
)

// load is how much there is to do of a table as it is at a commit.
type load struct {
	commit    uint64
	kind      string
	sample    Sample
	mapping   int64 // bytes of part files of the mapping
	delivered int64 // bytes of those of the table
	published int64 // work of its data files
}

// keysAtOnce is of how many files a store is asked for the sizes.
const keysAtOnce = 1000

// loadOf is the load of a table where so much of its users is looked at.
func loadOf(ctx context.Context, src *source, t *state.Table, parts []*state.Partition, sample Sample) (load, error) {
	w := load{commit: t.Commit, kind: t.Kind, sample: sample}
	for _, p := range parts {
		for _, f := range p.Files {
			w.published += workOfPublished(f.Size)
		}
	}
	var err error
	if t.HasMapping && src.cannotRead(t.MappingDump, feed.TableMapping) == "" {
		if w.mapping, err = src.bytesOf(ctx, t.MappingDump, feed.TableMapping); err != nil {
			return w, err
		}
	}
	floor := rules.Live(lake.StandingDumps(t))
	for _, d := range t.Applied {
		if t.Kind == feed.KindMapping || d.Skipped || d.Lost || !floor.Live(d.Dump) || src.isGone(&d, t.Name) != "" {
			continue
		}
		n, err := src.bytesOf(ctx, d.Dump, t.Name)
		if err != nil {
			return w, err
		}
		w.delivered += n
	}
	return w, nil
}

// bytesOf is how many bytes of part files a dump has of a table. Files that cannot be looked
// at count as empty: who reads them says so.
func (s *source) bytesOf(ctx context.Context, dump int64, table string) (int64, error) {
	n := int64(0)
	var keys []string
	ask := func() error {
		some, err := s.sizes(ctx, keys)
		n, keys = n+some, keys[:0]
		return err
	}
	for key, err := range s.listing.Dump(dump).Entry(table).Files.All() {
		if err != nil {
			return n, err
		}
		if keys = append(keys, key); len(keys) == keysAtOnce {
			if err := ask(); err != nil {
				return n, err
			}
		}
	}
	return n, ask()
}

// sizes adds up the sizes of files.
func (s *source) sizes(ctx context.Context, keys []string) (int64, error) {
	sizes, err := s.dumps.Sizes(ctx, keys)
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	g.SetLimit(s.workers)
	for i, size := range sizes {
		if size >= 0 {
			continue
		}
		g.Go(func() error {
			sizes[i] = 0
			if o, err := s.dumps.Stat(ctx, keys[i]); err == nil {
				sizes[i] = o.Size
			}
			return ctx.Err()
		})
	}
	err = g.Wait()
	n := int64(0)
	for _, size := range sizes {
		n += size
	}
	return n, err
}

// work is how much work a table is, in bytes of part files that are read.
func (w *load) work() int64 {
	return w.mapping + w.delivered + w.published + w.workOfJudging()
}

// workOfPublished is that of reading so many bytes of data files.
func workOfPublished(bytes int64) int64 { return bytes * 5 / 4 }

// workOfJudging is that of judging what was read, about as was measured: of the mapping it is
// done as it is read, and users are merged value by value.
func (w *load) workOfJudging() int64 {
	of := int64(max(w.sample.Of, 1))
	switch w.kind {
	case feed.KindMapping:
		return 0
	case feed.KindUsers:
		return w.delivered * 5 / of
	}
	return w.delivered / 2 / of
}
