package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/avro"
	"reconcile/engine/dump"
	"reconcile/engine/rows"
	"reconcile/internal/blob"
)

// limits is what a part of an apply may use.
type limits struct {
	workers    int
	memory     int // bytes for rows that wait for their partition
	scratch    string
	spillGroup int // rows of a row group in scratch files, 0 for the default
	groupRows  int // rows of a row group in data files
	hashBits   int // of the index
	indexRuns  int // of an index before they are merged
}

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
	lim       limits
	failCasts bool
	progress  func(rows, bytes int64)

	mu       sync.Mutex
	segments []*rows.Segment
	// onSegment sees every segment while its rows are still in memory.
	onSegment func(seg int, s *rows.Segment) error
	bad       []badRow
	unlisted  map[string]int64 // rows by name of a field that no manifest lists
	spelled   map[string]bool  // columns, folded, that some file spells in another way
	read      int64            // rows
	bytes     int64
	rescued   int64
}

func newIngest(s *schema, lim limits) *ingest {
	return &ingest{schema: s, lim: lim, unlisted: map[string]int64{}, spelled: map[string]bool{}, progress: func(int64, int64) {}}
}

// job is a raw block on its way to a worker.
type job struct {
	file  sourceFile
	head  *avro.Header
	block avro.Block
	first int64
}

// avroFiles reads part files, blocks in parallel. A file that cannot be used
// ends it with a *fileError.
func (g *ingest) avroFiles(ctx context.Context, src *dump.Source, files []sourceFile) error {
	eg, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *job, 2*g.lim.workers)
	free := sync.Pool{New: func() any { return new(job) }}
	eg.Go(func() error {
		defer close(jobs)
		for _, f := range files {
			if err := g.scan(ctx, src, f, jobs, &free); err != nil {
				return err
			}
		}
		return nil
	})
	for range g.lim.workers {
		eg.Go(func() error {
			w := &ingestWorker{g: g, ctx: ctx}
			for j := range jobs {
				if err := w.add(j); err != nil {
					return err
				}
				free.Put(j)
			}
			return w.seal()
		})
	}
	return eg.Wait()
}

// scan reads the blocks of one file.
func (g *ingest) scan(ctx context.Context, src *dump.Source, f sourceFile, jobs chan<- *job, free *sync.Pool) error {
	h, err := src.Open(ctx, f.key)
	if err != nil {
		return &fileError{f, err}
	}
	defer h.Close()
	sc, err := scanHandle(h)
	if err != nil {
		return &fileError{f, err}
	}
	first := int64(0)
	for {
		j := free.Get().(*job)
		ok, err := sc.Next(&j.block)
		if err != nil {
			return &fileError{f, err}
		}
		if !ok {
			return nil
		}
		j.file, j.head, j.first = f, sc.Header(), first
		first += int64(j.block.Count)
		g.progress(int64(j.block.Count), int64(len(j.block.Data)))
		select {
		case jobs <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readAhead is how much of a part file is read at once.
const readAhead = 1 << 20

// scanHandle starts reading an Avro file.
func scanHandle(h blob.Handle) (*avro.Scanner, error) {
	size := h.Object().Size
	return avro.NewScanner(bufio.NewReaderSize(io.NewSectionReader(h, 0, size), readAhead), size)
}

type ingestWorker struct {
	g    *ingest
	ctx  context.Context
	b    *builder
	plan *filePlan
	head *avro.Header
}

func (w *ingestWorker) add(j *job) error {
	if w.head != j.head {
		p, err := newFilePlan(j.file, j.head, w.g.schema)
		if err != nil {
			return &fileError{j.file, err}
		}
		w.plan, w.head = p, j.head
	}
	if w.b == nil {
		w.b = newBuilder(w.g.schema)
	}
	before := w.b.n
	if err := w.b.add(w.plan, &j.block, j.first, w.g.failCasts); err != nil {
		return &fileError{j.file, err}
	}
	w.g.count(w.plan, int64(w.b.n-before), int64(len(j.block.Data)))
	if w.b.memory() > w.g.lim.memory/w.g.lim.workers {
		return w.sealAndSpill()
	}
	return nil
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

// seal ends the worker's rows as a segment that stays in memory.
func (w *ingestWorker) seal() error {
	_, err := w.g.take(w.b)
	w.b = nil
	return err
}

func (w *ingestWorker) sealAndSpill() error {
	s, err := w.g.take(w.b)
	w.b = nil
	if err != nil || s == nil {
		return err
	}
	return s.Spill(w.ctx, w.g.lim.scratch, w.g.lim.spillGroup)
}

// take turns a builder into a segment.
func (g *ingest) take(b *builder) (*rows.Segment, error) {
	if b == nil {
		return nil, nil
	}
	var s *rows.Segment
	if len(b.rows) > 0 {
		s = b.seal()
	}
	g.mu.Lock()
	g.bad = append(g.bad, b.bad...)
	g.rescued += b.rescued
	n := len(g.segments)
	if s != nil {
		g.segments = append(g.segments, s)
	}
	g.mu.Unlock()
	if s == nil || g.onSegment == nil {
		return s, nil
	}
	return s, g.onSegment(n, s)
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
