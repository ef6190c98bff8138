package rows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"reconcile/engine/rules"
	"reconcile/internal/column"
)

// ScratchBlock says how much of a scratch file is read at once: a merge holds one
// block of every segment. Each of the numbers ends a block.
type ScratchBlock struct {
	Rows  int
	Bytes int // before compression
}

// Spill moves the rows of s to a scratch file in dir and frees its memory.
func (s *Segment) Spill(ctx context.Context, dir string, block ScratchBlock) error {
	if s.spilled() || s.n == 0 {
		return nil
	}
	w := scratchWriter{most: block}
	err := w.begin(dir, s.columns(), s.secret)
	if err == nil {
		err = w.end(s.writeTo(ctx, &w))
	}
	if err != nil {
		return scratchError(dir, err)
	}
	if s.batch == nil {
		s.reusable = reuse(s)
	}
	s.scratch, s.rows, s.slabs, s.batch = w.file, nil, nil, nil
	return nil
}

// columns are the columns of the rows without values; nil of encoded rows.
func (s *Segment) columns() []column.Column {
	if s.batch == nil {
		return nil
	}
	cols := make([]column.Column, len(s.batch.Cols))
	for i, c := range s.batch.Cols {
		cols[i] = column.Column{Name: c.Name, Type: c.Type}
	}
	return cols
}

// ShareColumns has a spilled segment describe its columns as another one does, if they are
// the same: of very many columns that takes more than a block of rows.
func (s *Segment) ShareColumns(with *Segment) {
	if !s.spilled() || with == nil || !with.spilled() {
		return
	}
	same := func(a, b column.Column) bool { return a.Name == b.Name && a.Type == b.Type }
	if slices.EqualFunc(s.scratch.cols, with.scratch.cols, same) {
		s.scratch.cols = with.scratch.cols
	}
}

func (s *Segment) writeTo(ctx context.Context, w *scratchWriter) error {
	for _, p := range s.Parts {
		for ch, i := s.Part(p.Part), 0; i < len(ch.Rows); i++ {
			if err := w.add(ctx, ch, i); err != nil {
				return err
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func scratchError(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("scratch folder %s is full: free space there or set scratch_dir to a larger disk; nothing has become visible: %w", dir, err)
	}
	return fmt.Errorf("spilling rows to %s: %w", dir, err)
}

// scratchWriter writes sorted rows to a scratch file, in blocks each of which is of one
// partition.
type scratchWriter struct {
	file    *scratchFile
	most    ScratchBlock
	squeeze squeezer
	off     int64 // of the next block
	rows    int   // before the block at hand

	picked  []pick // for the block at hand
	bytes   int    // that they take
	values  []byte // records of rows that have columns
	content []byte
}

// pick is a row of a block with its record.
type pick struct {
	row    rules.Row
	record []byte
}

// begin makes the file, in dir, of rows with columns, or of encoded ones.
func (w *scratchWriter) begin(dir string, cols []column.Column, secret bool) (err error) {
	w.file, err = newScratchFile(dir, cols, secret)
	return err
}

// add writes a row of a chunk.
func (w *scratchWriter) add(ctx context.Context, ch *Chunk, i int) error {
	p := pick{row: ch.Rows[i]}
	if ch.Encoded() {
		var err error
		if p.record, err = ch.Record(i); err != nil {
			return err
		}
	} else {
		from := len(w.values)
		w.values = appendValues(w.values, ch.Batch, int(p.row.At))
		p.record = w.values[from:]
		p.row.Size = uint32(len(p.record))
	}
	size := len(p.record)
	if size >= w.most.Bytes { // a long row is read when it is its turn: it has a block of its own
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.picked = append(w.picked, p)
	if w.bytes += blockHead + size; w.bytes < w.most.Bytes && len(w.picked) < w.most.Rows {
		return nil
	}
	return w.flush(ctx)
}

// flush writes the rows that were added as one block.
func (w *scratchWriter) flush(ctx context.Context) error {
	n := len(w.picked)
	if n == 0 {
		return nil
	}
	b := scratchBlock{first: w.rows, rows: n, off: w.off}
	if first := w.picked[0].row; n == 1 && int(first.Size) >= w.most.Bytes {
		first.At = 0
		b.long = &first
	}
	content := w.picked[0].record
	if b.long == nil {
		content = appendHeads(w.content[:0], w.picked)
		for i := range w.picked {
			content = append(content, w.picked[i].record...)
		}
		w.content = content
	}
	if err := w.write(ctx, b, content); err != nil {
		return err
	}
	clear(w.picked)
	w.picked, w.bytes, w.rows = w.picked[:0], 0, w.rows+n
	if w.values = w.values[:0]; cap(w.values) > 2*w.most.Bytes { // of a long row
		w.values = nil
	}
	return nil
}

// end ends the file, or gives it up if err is not nil.
func (w *scratchWriter) end(err error) error {
	if err != nil {
		return errors.Join(err, w.file.remove())
	}
	return nil
}
