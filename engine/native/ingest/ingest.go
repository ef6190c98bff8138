package ingest

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"reconcile/engine/avro"
	"reconcile/engine/decode"
	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/engine/quarantine"
	"reconcile/engine/rows"
	"reconcile/engine/rules"
)

// Ingest turns sources of rows into sorted segments. The first error wins;
// segments must be closed by the owner in any case.
type Ingest struct {
	Schema    *decode.Schema
	Formats   *RecordFormats
	Limits    exec.Limits
	FailCasts bool
	Frozen    bool // a key or timestamp outside of the list of a frozen table holds it
	Events    exec.Events
	Sums      *partfile.Sums // of the files; nil if nobody asks
	// Bad is the rows without their keys.
	Bad *quarantine.Collector

	mu       sync.Mutex
	Segments []*rows.Segment
	held     int           // bytes of the segments in memory
	spilled  *rows.Segment // the last of the others
	// OnSegment sees every segment while its rows are still in memory. One that does not
	// fit there is spilled next.
	OnSegment func(seg int, s *rows.Segment, fits bool) error
	Unlisted  map[string]int64   // rows by name of a field that no manifest lists
	Spelled   map[string]bool    // columns that some file spells in another way
	Spellings map[[2]string]bool // columns and these spellings, by the headers of files
	Carried   map[string]int64   // keys and timestamps that no manifest lists: the greatest dump that has each
	Read      int64              // rows
	ReadOf    map[int64]int64    // rows by dump
	Bytes     int64
	Rescued   int64
	Rounded   atomic.Int64 // values
}

// New returns an ingest for rows of a schema, which may take a part of the limits.
func New(s *decode.Schema, lim exec.Limits) *Ingest {
	bad := quarantine.NewCollector(quarantine.Space{Bytes: lim.Budget.Rejected(), Temp: func() (*os.File, error) { return quarantine.UnnamedIn(lim.Scratch) }})
	return &Ingest{Schema: s, Bad: bad, Formats: newRecordFormats(lim.Budget), Limits: lim, Unlisted: map[string]int64{}, Spelled: map[string]bool{}, Spellings: map[[2]string]bool{}, Carried: map[string]int64{}, ReadOf: map[int64]int64{}, Events: exec.Events{Progress: func(exec.Progress) {}}}
}

// job is a raw block on its way to a worker.
type job struct {
	file   File
	format int
	block  avro.Block
	first  int64
}

// AvroFiles reads part files, blocks in parallel. A file that cannot be used
// ends it with a *partfile.FileError.
func (g *Ingest) AvroFiles(ctx context.Context, src exec.Source, files iter.Seq2[File, error]) error {
	eg, ctx := errgroup.WithContext(ctx)
	blocks := g.blocks(ctx, src, files)
	defer blocks.close()
	for range g.Limits.Budget.Workers() {
		eg.Go(func() error {
			l, j := newLocator(g), new(job)
			defer j.block.Free()
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

// locate takes in one block, a slice at a time.
func (g *Ingest) locate(ctx context.Context, l *locator, j *job) error {
	p := l.plans.Of(j.format)
	if p.Lacks != "" && j.block.Count > 0 {
		return j.file.unusable(partfile.NewKeyError(p.Lacks, l.plans.Formats.format(j.format).names.Fields))
	}
	if err := p.Begin(&j.block); err != nil {
		return j.file.unusable(err)
	}
	g.count(p, j)
	for row := 0; ; {
		n, err := l.locateSlice(p, j, row)
		if err != nil {
			return j.file.unusable(err)
		}
		if err := g.Bad.Add(ctx, l.bad...); err != nil {
			return err
		}
		if row += n; row == j.block.Count {
			j.block.Shrink()
		}
		if l.collected.Size() >= g.Limits.Budget.Collecting() || l.collected.Full() {
			if err := g.seal(ctx, l); err != nil {
				return err
			}
		}
		if row == j.block.Count {
			j.block.Free()
			return nil
		}
	}
}

// seal ends the rows of a locator as a segment.
func (g *Ingest) seal(ctx context.Context, l *locator) error {
	if l.collected.Len() == 0 {
		return nil
	}
	l.collected.Secret = g.Schema.Masks()
	s := l.collected.Seal()
	err := g.Keep(ctx, s)
	l.collected = s.Reuse()
	return err
}

func (g *Ingest) count(p *decode.Plan, j *job) {
	rows := int64(j.block.Count)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Read += rows
	g.ReadOf[j.file.Dump] += rows
	g.Bytes += int64(len(j.block.Data))
	for _, name := range p.Spelled {
		g.Spelled[name] = true
	}
	for _, name := range p.Unlisted {
		g.Unlisted[name] += rows
	}
}

// noteSurvey notes what the header of a file of a dump tells.
func (g *Ingest) noteSurvey(s *rules.Survey, dump int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range s.Unlisted {
		if had, ok := g.Carried[name]; !ok || dump > had {
			g.Carried[name] = dump
		}
	}
	for _, pair := range s.Spelled {
		g.Spellings[pair] = true
	}
}

// Keep takes in a segment. Half of the memory is for segments; those that come
// when it is used up are spilled.
func (g *Ingest) Keep(ctx context.Context, s *rows.Segment) error {
	g.mu.Lock()
	n := len(g.Segments)
	g.Segments = append(g.Segments, s)
	spill := g.held+s.Memory() > g.Limits.Budget.Segments()
	if !spill {
		g.held += s.Memory()
	}
	g.mu.Unlock()
	if g.OnSegment != nil {
		if err := g.OnSegment(n, s, !spill); err != nil {
			return err
		}
	}
	if !spill {
		return nil
	}
	if err := s.Spill(ctx, g.Limits.Scratch, g.ScratchBlock()); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.ShareColumns(g.spilled)
	g.spilled = s
	return nil
}

// ScratchBlock says how much of a scratch file is read at once.
func (g *Ingest) ScratchBlock() rows.ScratchBlock {
	return rows.ScratchBlock{Rows: g.Limits.ScratchRows(), Bytes: g.Limits.Budget.ScratchBytes()}
}

// Release spills the segments that are in memory, which is for those that come now. Nobody
// may take in rows meanwhile.
func (g *Ingest) Release(ctx context.Context) error {
	for _, s := range g.Segments {
		if err := s.Spill(ctx, g.Limits.Scratch, g.ScratchBlock()); err != nil {
			return err
		}
		s.Reuse() // by nobody: its memory is for others
	}
	g.held = 0
	return nil
}

// Len is the number of rows in the segments.
func (g *Ingest) Len() int64 {
	n := int64(0)
	for _, s := range g.Segments {
		n += int64(s.Len())
	}
	return n
}

// Spilled reports whether some segment is not in memory.
func (g *Ingest) Spilled() bool {
	return slices.ContainsFunc(g.Segments, func(s *rows.Segment) bool { return s.Rows() == nil })
}

// reduction is how segments are merged until the rest can be merged at once.
func (g *Ingest) reduction() *rows.Reduction {
	return rows.PlanReduction(g.Segments, g.Limits.Budget.Merged(), g.Limits.Budget.Workers())
}

// WorkOfReducing is the work of Reduce, where all rows count as about so many bytes of part
// files.
func (g *Ingest) WorkOfReducing(bytes int64) int64 {
	again := float64(g.reduction().Rows()) / float64(max(g.Len(), 1))
	return exec.WorkOfMergingAgain(int64(again * float64(bytes)))
}

// Reduce merges spilled segments until the rest can be merged at once, which is so much work.
// Nobody may know places of rows in segments any more.
func (g *Ingest) Reduce(ctx context.Context, work int64) (err error) {
	r := g.reduction()
	told := g.Events.Stretch(exec.Merging, r.Rows(), work)
	defer told.End()
	g.Segments, err = r.Run(ctx, g.Limits.Scratch, g.ScratchBlock(), told.Pass)
	return err
}

// Close removes what was spilled.
func (g *Ingest) Close() error { return errors.Join(g.Bad.Close(), g.CloseSegments()) }

// CloseSegments removes what was spilled of segments.
func (g *Ingest) CloseSegments() error {
	var errs []error
	for _, s := range g.Segments {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
