package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/dump"
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

const (
	// keysAtOnce is of how many files a store is asked for the sizes.
	keysAtOnce = 1000
	// statsAtOnce is how many files are asked for side by side whose folder tells nothing.
	statsAtOnce = 16
)

// loadOf is the load of a table where so much of its users is looked at.
func loadOf(ctx context.Context, sizes *sizes, t *state.Table, parts []*state.Partition, sample Sample) (load, error) {
	w := load{commit: t.Commit, kind: t.Kind, sample: sample}
	for _, p := range parts {
		for _, f := range p.Files {
			w.published += workOfPublished(f.Size)
		}
	}
	var err error
	if t.HasMapping && sizes.source.cannotRead(t.MappingDump, feed.TableMapping) == "" {
		if w.mapping, err = sizes.ofTable(ctx, t.MappingDump, feed.TableMapping); err != nil {
			return w, err
		}
	}
	floor := rules.Live(lake.StandingDumps(t))
	for _, d := range t.Applied {
		if t.Kind == feed.KindMapping || d.Skipped || d.Lost || !floor.Live(d.Dump) || sizes.source.isGone(&d, t.Name) != "" {
			continue
		}
		n, err := sizes.ofTable(ctx, d.Dump, t.Name)
		if err != nil {
			return w, err
		}
		w.delivered += n
	}
	return w, nil
}

// sizes is how many bytes of part files dumps have. Those of a dump are found out together:
// on S3 its folder is listed.
type sizes struct {
	source *source
	known  map[int64]map[string]int64 // by dump and table
}

// ofTable is how many bytes a dump has of a table. Files that cannot be looked at count as
// empty: who reads them says so.
func (s *sizes) ofTable(ctx context.Context, id int64, table string) (int64, error) {
	tables, ok := s.known[id]
	if !ok {
		of := sizesOfDump{source: s.source, folder: fmt.Sprintf("sync_%d/", id)}
		tables = map[string]int64{}
		for _, e := range s.source.listing.Dump(id).Entries {
			n, err := of.entry(ctx, e)
			if err != nil {
				return 0, fmt.Errorf("the sizes of the files of dump %d: %w", id, err)
			}
			tables[e.Name] = n
		}
		s.known[id] = tables
	}
	return tables[table], nil
}

// sizesOfDump finds out the sizes of the files of a dump.
type sizesOfDump struct {
	source *source
	folder string
	listed map[string]int64 // what lies there, once somebody asked for it
}

// entry is how many bytes the files of an entry have.
func (s *sizesOfDump) entry(ctx context.Context, e *dump.Entry) (int64, error) {
	n := int64(0)
	var keys []string
	ask := func() error {
		some, err := s.files(ctx, keys)
		n, keys = n+some, keys[:0]
		return err
	}
	for key, err := range e.Files.All() {
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

// files adds up the sizes of files.
func (s *sizesOfDump) files(ctx context.Context, keys []string) (int64, error) {
	sizes, err := s.source.dumps.Sizes(ctx, keys)
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	g.SetLimit(statsAtOnce)
	for i, size := range sizes {
		if size >= 0 {
			continue
		}
		if strings.HasPrefix(keys[i], s.folder) {
			if sizes[i], err = s.inFolder(ctx, keys[i]); err != nil {
				return 0, errors.Join(err, g.Wait())
			}
			continue
		}
		g.Go(func() error {
			sizes[i] = 0
			if o, err := s.source.dumps.Stat(ctx, keys[i]); err == nil {
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

// inFolder is the size of a file in the folder of the dump, which is listed for it.
func (s *sizesOfDump) inFolder(ctx context.Context, key string) (int64, error) {
	if s.listed == nil {
		s.listed = map[string]int64{}
		objects, err := s.source.dumps.ListFolder(ctx, strings.TrimSuffix(s.folder, "/"))
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err == nil {
			for _, o := range objects {
				s.listed[o.Key] = o.Size
			}
		}
	}
	return s.listed[key], nil
}

// work is how much work a table is, in bytes of part files that are read.
func (w *load) work() int64 {
	return w.mapping + w.delivered + w.published + w.workOfJudging()
}

// workOfPublished is that of reading so many bytes of data files.
func workOfPublished(bytes int64) int64 { return bytes * 3 / 2 }

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
