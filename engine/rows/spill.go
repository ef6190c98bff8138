package rows

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/failpoint"
	"reconcile/internal/parquet"
)

// ScratchBlock says how much of a scratch file is read at once: a merge holds one
// block of every segment. Each of the numbers ends a block.
type ScratchBlock struct {
	Rows  int
	Bytes int // of encoded rows, before compression
}

type spillFile struct {
	path   string
	layout *rules.Layout
	group  int
}

// Spill moves the rows of s to a scratch file in dir and frees its memory.
func (s *Segment) Spill(ctx context.Context, dir string, block ScratchBlock) error {
	if s.spilled() || s.n == 0 {
		return nil
	}
	if s.encoded {
		p, err := s.spillEncoded(ctx, dir, block)
		if err == nil {
			s.reusable = reuse(s)
			s.scratch, s.rows, s.slabs = p, nil, nil
		}
		return err
	}
	f, err := os.CreateTemp(dir, "spill-*")
	if err != nil {
		return scratchError(dir, err)
	}
	sf := &spillFile{path: f.Name(), group: block.Rows, layout: rules.Spilled(s.batch.Cols)}
	err = errors.Join(s.writeSpill(ctx, f, sf), f.Close())
	if err != nil {
		_ = os.Remove(sf.path)
		return scratchError(dir, err)
	}
	s.file, s.rows, s.batch = sf, nil, nil
	return nil
}

func scratchError(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("scratch folder %s is full: free space there or set scratch_dir to a larger disk; nothing has become visible: %w", dir, err)
	}
	return fmt.Errorf("spilling rows to %s: %w", dir, err)
}

func (s *Segment) writeSpill(ctx context.Context, f *os.File, sf *spillFile) error {
	bw := bufio.NewWriterSize(f, 1<<20)
	w, err := parquet.NewWriter(bw, sf.layout.Columns, parquet.Options{Compression: "snappy"})
	if err != nil {
		return err
	}
	var g column.Gatherer
	for lo := 0; lo < s.n; lo += sf.group {
		if err := failpoint.Hit(ctx, failpoint.SpillWrite); err != nil {
			return err
		}
		out := s.sorted(&g, sf.layout, lo, min(lo+sf.group, s.n))
		if err := w.WriteRowGroup(out); err != nil {
			return err
		}
	}
	if _, err := w.Close(); err != nil {
		return err
	}
	return bw.Flush()
}

// sorted gathers the rows lo to hi as they stand in the sort order.
func (s *Segment) sorted(g *column.Gatherer, l *rules.Layout, lo, hi int) *column.Batch {
	n := hi - lo
	raw, key, ver := make([]int64, n), make([]int64, n), make([]int64, n)
	selection := make([]column.SourceRow, n)
	for i, r := range s.rows[lo:hi] {
		raw[i], key[i], ver[i] = r.Raw, r.Key, int64(r.Ver)
		selection[i].Row = r.At
	}
	out := &column.Batch{N: n, Cols: l.NewColumns()}
	out.Cols[l.RawUser].Ints, out.Cols[l.Key].Ints, out.Cols[l.Version].Ints = raw, key, ver
	own := l.Payload(out.Cols)
	for i := range own {
		g.Column(&own[i], []*column.Column{&s.batch.Cols[i]}, selection)
	}
	return out
}

func (f *spillFile) remove() error { return os.Remove(f.path) }

func (f *spillFile) open(r PartRange, v Verdicts) Cursor {
	return &spillCursor{file: f, rng: r, pos: r.Lo, verdicts: v}
}

type spillCursor struct {
	file     *spillFile
	rng      PartRange
	pos      int
	verdicts Verdicts
	f        *os.File
	pq       *parquet.File
}

func (c *spillCursor) start() error {
	f, err := os.Open(c.file.path)
	if err != nil {
		return fmt.Errorf("reading spilled rows: %w", err)
	}
	c.f = f
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading spilled rows: %w", err)
	}
	if c.pq, err = parquet.Open(f, st.Size()); err != nil {
		return fmt.Errorf("reading spilled rows of %s: %w", c.file.path, err)
	}
	return nil
}

func (c *spillCursor) Next(context.Context) (*Chunk, error) {
	if c.pos >= c.rng.Hi {
		return nil, nil
	}
	if c.pq == nil {
		if err := c.start(); err != nil {
			return nil, err
		}
	}
	group := c.pos / c.file.group
	b, l := &column.Batch{}, c.file.layout
	if err := c.pq.ReadRowGroup(group, l.Columns, b); err != nil {
		return nil, fmt.Errorf("reading spilled rows of %s: %w", c.file.path, err)
	}
	base := group * c.file.group
	lo, hi := c.pos-base, min(c.rng.Hi-base, b.N)
	ch := &Chunk{Batch: b, Verdicts: c.verdicts, First: c.pos, Rows: make([]rules.Row, hi-lo)}
	raws, keys, vers := b.Cols[l.RawUser].Ints, b.Cols[l.Key].Ints, b.Cols[l.Version].Ints
	for i := range ch.Rows {
		at := lo + i
		ch.Rows[i] = rules.Row{Part: c.rng.Part, Raw: raws[at], Key: keys[at], Ver: uint64(vers[at]), At: uint32(at)}
	}
	c.pos = base + hi
	return ch, nil
}

func (c *spillCursor) Close() error {
	if c.f == nil {
		return nil
	}
	return c.f.Close()
}
