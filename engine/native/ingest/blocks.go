package ingest

import (
	"context"
	"errors"
	"iter"
	"sync"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/engine/partfile"
	"reconcile/engine/rules"
	"reconcile/internal/blob"
)

// blocks hands out the blocks of part files in their order. Any number of goroutines
// may ask for the next one: whoever works on a block has read it himself, and finds
// it in his cache. A file that cannot be used is a *partfile.FileError, and final.
type blocks struct {
	g *Ingest

	mu     sync.Mutex
	files  *upcoming
	file   File
	open   blob.Handle // of file, nil before the first and behind the last
	scan   *avro.Scanner
	format int
	first  int64 // row of the next block
	told   int64 // bytes of file that were told of
	err    error

	surveys map[int]*rules.Survey // by record format
}

func (g *Ingest) blocks(ctx context.Context, src exec.Source, files iter.Seq2[File, error]) *blocks {
	return &blocks{g: g, files: newUpcoming(ctx, src, files, g.Limits.Budget.Workers()), surveys: map[int]*rules.Survey{}}
}

// next reads a block into j. It returns false behind the last one.
func (b *blocks) next(ctx context.Context, j *job) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = ctx.Err()
	}
	for b.err == nil {
		if b.open == nil {
			f, h, more, err := b.files.next()
			if !more {
				return false, nil
			}
			if b.err = err; err == nil {
				b.err = b.begin(f, h)
			}
			continue
		}
		ok, err := b.scan.Next(&j.block)
		switch {
		case err != nil:
			b.err = b.file.unusable(err)
		case !ok:
			b.end()
		default:
			j.file, j.format, j.first = b.file, b.format, b.first
			b.first += int64(j.block.Count)
			b.tell(int64(j.block.Count), j.block.Offset+int64(len(j.block.Data)))
			return true, nil
		}
	}
	return false, b.err
}

// begin begins with a file that was opened.
func (b *blocks) begin(f File, h blob.Handle) (err error) {
	b.file, b.open = f, h
	if f.Pin != "" && h.Object().Pin != f.Pin {
		return f.unusable(partfile.ErrChanged)
	}
	size := h.Object().Size
	if b.scan, err = partfile.NewScanner(b.g.Sums.Begin(partfile.Reader(h, b.g.Limits.Budget.Workers())), size, b.g.Formats.limits); err != nil {
		return f.unusable(err)
	}
	b.first, b.told, b.format = 0, 0, b.g.Formats.number(&f, b.scan.Header())
	return b.survey(f)
}

// survey notes what only the file's header tells.
func (b *blocks) survey(f File) error {
	if b.g.Schema.Table == nil {
		return nil
	}
	s := b.surveys[b.format]
	if s == nil {
		s = b.g.Schema.Survey(&b.g.Formats.format(b.format).names)
		b.surveys[b.format] = s
	}
	if s.Refused != "" && b.g.Frozen {
		return f.unusable(errors.New(partfile.FrozenReason(s.Refused)))
	}
	if err := lateIn(s, f); err != nil {
		return err
	}
	b.g.noteSurvey(s, f.Dump)
	return nil
}

// tell tells of rows, and that the file is read up to some byte.
func (b *blocks) tell(rows, upTo int64) {
	e := exec.Extent{Bytes: upTo - b.told, Rows: rows, Columns: len(b.g.Schema.Payload)}
	b.g.Events.Progress(exec.Progress{Phase: exec.Reading, Rows: rows, Bytes: e.Bytes, Work: exec.WorkOfReading(b.g.Schema.Kind, e.AsDelivered())})
	b.told = upTo
}

// end closes the file, which was read to its end.
func (b *blocks) end() {
	b.tell(0, b.open.Object().Size)
	b.g.Sums.End(b.file.Dump, b.file.Index, b.open.Object())
	b.closeFile()
}

// close ends the reading.
func (b *blocks) close() {
	b.closeFile()
	b.files.close()
}

// closeFile closes the file that is open, if any. What is read needs no successful end.
func (b *blocks) closeFile() {
	if b.open != nil {
		_ = b.open.Close()
	}
	b.open, b.scan = nil, nil
}
