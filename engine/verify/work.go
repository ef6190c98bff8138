package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/dump"
	"reconcile/engine/exec"
	"reconcile/engine/lake"
	"reconcile/engine/rules"
	"reconcile/internal/feed"
	"reconcile/sinks"
	"reconcile/state"
)

// Work is measured in bytes of part files. What takes longer counts as more of them, about as
// its processor time was measured. What one goroutine does while others have nothing to do
// counts for all of them.
const (
	workOfEntry     = 5   // a byte of the part files of a mapping
	workOfRow       = 30  // a row of any other part file, beside what an exec.Extent counts
	workOfValue     = 2   // and each of its values
	workOfPublished = 2.5 // a byte of data files, as an exec.Extent counts them
	workOfEvent     = 130 // judging a row of events, and 1 for each value
	workOfUser      = 270 // and of users, which are merged value by value
)

// load is how much there is to do of a table as it is at a commit.
type load struct {
	commit    uint64
	kind      string
	sample    Sample
	workers   int
	judges    int
	mapping   volume // part files of the mapping
	delivered volume // those of the table
	rows      int64  // of those, about
	columns   int
	published []volume // by sink, its data files or shares of them, as their bytes count
}

// volume is how many bytes files have that are read side by side, each by one goroutine.
type volume struct{ all, largest int64 }

func (v *volume) add(n int64) { v.all, v.largest = v.all+n, max(v.largest, n) }

func (v *volume) join(o volume) { v.all, v.largest = v.all+o.all, max(v.largest, o.largest) }

// alone is how often work counts because so many goroutines wait for the largest file.
func (v *volume) alone(workers int) float64 {
	return max(float64(v.largest)*float64(workers)/float64(max(v.all, 1)), 1)
}

const (
	// keysAtOnce is of how many files a store is asked for the sizes.
	keysAtOnce = 1000
	// statsAtOnce is how many files are asked for side by side whose folder tells nothing.
	statsAtOnce = 16
)

// loadOf is the load of a table where so much of its users is looked at.
func loadOf(ctx context.Context, sizes *sizes, t *state.Table, parts []*state.Partition, sample Sample) (load, error) {
	w := load{commit: t.Commit, kind: t.Kind, columns: len(t.Columns), sample: sample, workers: sizes.source.workers, published: make([]volume, len(t.Sinks))}
	for _, p := range parts {
		for _, f := range p.Files {
			shares := sinks.Shares(f.Size, w.workers)
			for range shares {
				w.published[f.Sink].add(w.weight(f) / int64(len(shares)))
			}
			if f.Sink == 0 && t.Kind != feed.KindMapping {
				w.rows += f.Rows
			}
		}
	}
	var err error
	if t.HasMapping && sizes.source.cannotRead(t.MappingDump, feed.TableMapping) == "" {
		if w.mapping, err = sizes.ofTable(ctx, t.MappingDump, feed.TableMapping); err != nil {
			return w, err
		}
	}
	if t.Kind == feed.KindMapping {
		return w, nil
	}
	floor := rules.Live(lake.StandingDumps(t))
	for _, d := range t.Applied {
		if d.Skipped || d.Lost || !floor.Live(d.Dump) || sizes.source.isGone(&d, t.Name) != "" {
			continue
		}
		n, err := sizes.ofTable(ctx, d.Dump, t.Name)
		if err != nil {
			return w, err
		}
		w.delivered.join(n)
	}
	return w, nil
}

// sizes is how many bytes of part files dumps have. Those of a dump are found out together:
// on S3 its folder is listed.
type sizes struct {
	source *source
	known  map[int64]map[string]volume // by dump and table
}

// ofTable is the files that a dump has of a table. Files that cannot be looked at count as
// empty: who reads them says so.
func (s *sizes) ofTable(ctx context.Context, id int64, table string) (volume, error) {
	tables, ok := s.known[id]
	if !ok {
		of := sizesOfDump{source: s.source, folder: fmt.Sprintf("sync_%d/", id)}
		tables = map[string]volume{}
		for _, e := range s.source.listing.Dump(id).Entries {
			n, err := of.entry(ctx, e)
			if err != nil {
				return volume{}, fmt.Errorf("the sizes of the files of dump %d: %w", id, err)
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

// entry is the files of an entry.
func (s *sizesOfDump) entry(ctx context.Context, e *dump.Entry) (n volume, err error) {
	var keys []string
	ask := func() error {
		some, err := s.files(ctx, keys)
		n.join(some)
		keys = keys[:0]
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

// files finds out the sizes of files.
func (s *sizesOfDump) files(ctx context.Context, keys []string) (n volume, err error) {
	sizes, err := s.source.dumps.Sizes(ctx, keys)
	if err != nil {
		return n, err
	}
	var g errgroup.Group
	g.SetLimit(statsAtOnce)
	for i, size := range sizes {
		if size >= 0 {
			continue
		}
		if strings.HasPrefix(keys[i], s.folder) {
			if sizes[i], err = s.inFolder(ctx, keys[i]); err != nil {
				return n, errors.Join(err, g.Wait())
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
	for _, size := range sizes {
		n.add(size)
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

// work is how much work a table is, beside reading the mapping.
func (w *load) work() int64 { return w.workOfReading(w.rows, w.delivered.all) + w.workOfRest() }

// workOfMapping is that of reading so many bytes of part files of a mapping, one after the
// other.
func (w *load) workOfMapping(bytes int64) int64 { return bytes * workOfEntry * int64(w.workers) }

// workOfReading is that of reading rows of part files.
func (w *load) workOfReading(rows, bytes int64) int64 {
	e := exec.Extent{Bytes: bytes, Rows: rows, Columns: w.columns}
	return int64(w.delivered.alone(w.workers) * float64(e.AsDelivered()+rows*int64(workOfRow+workOfValue*w.columns)/w.of()))
}

// workOfRest is that of all behind the part files.
func (w *load) workOfRest() int64 {
	work := w.workOfJudging()
	for _, f := range w.published {
		work += int64(f.alone(w.workers) * workOfPublished * float64(f.all))
	}
	return work
}

// weight is what the bytes of a data file count as.
func (w *load) weight(f state.File) int64 {
	return exec.Extent{Bytes: f.Size, Rows: f.Rows, Columns: w.columns}.AsStored()
}

// workOfPublished is that of reading a data file.
func (w *load) workOfPublished(f state.File) int64 {
	return int64(w.published[f.Sink].alone(w.workers) * workOfPublished * float64(w.weight(f)))
}

// workOfJudging is that of judging what was read. Of the mapping it is done as it is read.
func (w *load) workOfJudging() int64 {
	work := w.rows / w.of() * int64(w.workers/w.judges)
	switch w.kind {
	case feed.KindMapping:
		return 0
	case feed.KindUsers:
		return work * workOfUser
	}
	return work * int64(workOfEvent+w.columns)
}

// of is how many parts all users have of which one is verified.
func (w *load) of() int64 { return int64(max(w.sample.Of, 1)) }
