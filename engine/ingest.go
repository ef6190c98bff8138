package engine

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/engine/quarantine"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// fileError is a file that holds its table.
type fileError struct {
	file sourceFile
	err  error
}

func (e *fileError) Error() string { return e.file.key + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// ingest turns sources of rows into sorted segments. The first error wins;
// segments must be closed by the owner in any case.
type ingest struct {
	schema    *schema
	shapes    *shapes
	lim       exec.Limits
	failCasts bool
	frozen    bool // a key or timestamp outside of the list of a frozen table holds it
	progress  func(rows, bytes int64)
	sums      *fileSums // of the files; nil if nobody asks

	mu       sync.Mutex
	segments []*rows.Segment
	held     int // bytes of the segments in memory
	// onSegment sees every segment while its rows are still in memory.
	onSegment func(seg int, s *rows.Segment) error
	bad       []quarantine.Row
	unlisted  map[string]int64   // rows by name of a field that no manifest lists
	spelled   map[string]bool    // columns that some file spells in another way
	spellings map[[2]string]bool // columns and these spellings, by the headers of files
	carried   map[string]int64   // keys and timestamps that no manifest lists: the greatest dump that has each
	read      int64              // rows
	bytes     int64
	rescued   int64
	rounded   int64 // values
}

func newIngest(s *schema, lim exec.Limits) *ingest {
	return &ingest{schema: s, shapes: &shapes{pool: avro.NewPool(lim.Budget.Texts())}, lim: lim, unlisted: map[string]int64{}, spelled: map[string]bool{}, spellings: map[[2]string]bool{}, carried: map[string]int64{}, progress: func(int64, int64) {}}
}

// job is a raw block on its way to a worker.
type job struct {
	file  sourceFile
	shape int
	block avro.Block
	first int64
}

// avroFiles reads part files, blocks in parallel. A file that cannot be used
// ends it with a *fileError.
func (g *ingest) avroFiles(ctx context.Context, src exec.Source, files []sourceFile) error {
	blocks := g.blocks(src, files)
	defer blocks.close()
	eg, ctx := errgroup.WithContext(ctx)
	for range g.lim.Budget.Workers() {
		eg.Go(func() error {
			l, j := newLocator(g), new(job)
			for {
				ok, err := blocks.next(ctx, j)
				if err != nil {
					return err
				}
				if !ok {
					return g.seal(ctx, l)
				}
				if err := g.locate(ctx, l, j); err != nil {
					return err
				}
			}
		})
	}
	return eg.Wait()
}

// locate takes in one block.
func (g *ingest) locate(ctx context.Context, l *locator, j *job) error {
	p, err := l.plans.of(j.shape)
	if err != nil {
		return &fileError{j.file, err}
	}
	if p.lacks != "" && j.block.Count > 0 {
		return &fileError{j.file, newKeyError(p.lacks, l.plans.shapes.at(j.shape).names.Fields)}
	}
	if err := l.add(p, j.shape, j); err != nil {
		return &fileError{j.file, err}
	}
	g.count(p, int64(j.block.Count), int64(len(j.block.Data)))
	if l.pack.Size() < g.lim.Budget.Collecting() && !l.pack.Full() {
		return nil
	}
	return g.seal(ctx, l)
}

// seal ends the rows of a locator as a segment.
func (g *ingest) seal(ctx context.Context, l *locator) error {
	g.mu.Lock()
	g.bad = append(g.bad, l.bad...)
	g.mu.Unlock()
	l.bad = nil
	if l.pack.Len() == 0 {
		return nil
	}
	l.pack.Secret = g.schema.Masks()
	s := l.pack.Seal()
	err := g.keep(ctx, s)
	l.pack = s.Spare()
	return err
}

func (g *ingest) count(p *filePlan, rows, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read += rows
	g.bytes += bytes
	for _, name := range p.spelled {
		g.spelled[name] = true
	}
	for _, name := range p.unlisted {
		g.unlisted[name] += rows
	}
}

// noteSurvey notes what the header of a file of a dump tells.
func (g *ingest) noteSurvey(s *rules.Survey, dump int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range s.Unlisted {
		if had, ok := g.carried[name]; !ok || dump > had {
			g.carried[name] = dump
		}
	}
	for _, pair := range s.Spelled {
		g.spellings[pair] = true
	}
}

// keep takes in a segment. Half of the memory is for segments; those that come
// when it is used up are spilled.
func (g *ingest) keep(ctx context.Context, s *rows.Segment) error {
	g.mu.Lock()
	n := len(g.segments)
	g.segments = append(g.segments, s)
	spill := g.held+s.Memory() > g.lim.Budget.Segments()
	if !spill {
		g.held += s.Memory()
	}
	g.mu.Unlock()
	if g.onSegment != nil {
		if err := g.onSegment(n, s); err != nil {
			return err
		}
	}
	if !spill {
		return nil
	}
	return s.Spill(ctx, g.lim.Scratch, g.lim.SpillGroup)
}

// close removes what was spilled.
func (g *ingest) close() error {
	var errs []error
	for _, s := range g.segments {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// partitions returns the partitions of all segments, sorted.
func (g *ingest) partitions() []int64 {
	seen := map[int64]bool{}
	for _, s := range g.segments {
		for _, p := range s.Parts {
			seen[p.Part] = true
		}
	}
	return sortedKeys(seen)
}
