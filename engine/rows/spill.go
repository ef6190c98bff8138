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

// Names of the columns that carry a Row in a scratch file. The payload's names
// cannot meet them: a delivered name never holds a NUL.
const (
	colRaw = "\x00raw"
	colKey = "\x00key"
	colVer = "\x00ver"
)

// ScratchBlock says how much of a scratch file is read at once: a merge holds one
// block of every segment. Each of the numbers ends a block.
type ScratchBlock struct {
	Rows  int
	Bytes int // of encoded rows, before compression
}

type spillFile struct {
	path  string
	want  []column.Column
	group int
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
	sf := &spillFile{path: f.Name(), group: block.Rows, want: sysColumns()}
	for _, c := range s.batch.Cols {
		sf.want = append(sf.want, column.Column{Name: c.Name, Type: c.Type})
	}
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

func sysColumns() []column.Column {
	i64 := column.Type{ID: column.Int64}
	return []column.Column{{Name: colRaw, Type: i64}, {Name: colKey, Type: i64}, {Name: colVer, Type: i64}}
}

func (s *Segment) writeSpill(ctx context.Context, f *os.File, sf *spillFile) error {
	bw := bufio.NewWriterSize(f, 1<<20)
	w, err := parquet.NewWriter(bw, sf.want, parquet.Options{Compression: "snappy"})
	if err != nil {
		return err
	}
	var g column.Gatherer
	for lo := 0; lo < s.n; lo += sf.group {
		if err := failpoint.Hit(ctx, failpoint.SpillWrite); err != nil {
			return err
		}
		out := s.sorted(&g, sf.want, lo, min(lo+sf.group, s.n))
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
func (s *Segment) sorted(g *column.Gatherer, want []column.Column, lo, hi int) *column.Batch {
	n := hi - lo
	raw, key, ver := make([]int64, n), make([]int64, n), make([]int64, n)
	selection := make([]column.SourceRow, n)
	for i, r := range s.rows[lo:hi] {
		raw[i], key[i], ver[i] = r.Raw, r.Key, int64(r.Ver)
		selection[i].Row = r.At
	}
	out := &column.Batch{N: n, Cols: make([]column.Column, len(want))}
	for i, w := range want {
		out.Cols[i] = column.Column{Name: w.Name, Type: w.Type}
	}
	out.Cols[0].Ints, out.Cols[1].Ints, out.Cols[2].Ints = raw, key, ver
	for i := range s.batch.Cols {
		g.Column(&out.Cols[3+i], []*column.Column{&s.batch.Cols[i]}, selection)
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
	b := &column.Batch{}
	if err := c.pq.ReadRowGroup(group, c.file.want, b); err != nil {
		return nil, fmt.Errorf("reading spilled rows of %s: %w", c.file.path, err)
	}
	base := group * c.file.group
	lo, hi := c.pos-base, min(c.rng.Hi-base, b.N)
	ch := &Chunk{Batch: b, Verdicts: c.verdicts, First: c.pos, Rows: make([]rules.Row, hi-lo)}
	for i := range ch.Rows {
		at := lo + i
		ch.Rows[i] = rules.Row{Part: c.rng.Part, Raw: b.Cols[0].Ints[at], Key: b.Cols[1].Ints[at],
			Ver: uint64(b.Cols[2].Ints[at]), At: uint32(at)}
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
