package rows

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sort"

	"github.com/klauspost/compress/s2"

	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/failpoint"
)

// scratchFile is a file of sorted rows: blocks, each of one partition, compressed one by
// one where that saves enough.
type scratchFile struct {
	f      *os.File
	blocks []scratchBlock
	cols   []column.Column // whose values the records have; nil of delivered records
	aead   cipher.AEAD     // nil if the rows are no secret
}

type scratchBlock struct {
	first, rows int // of the segment's rows
	off         int64
	size        int // in the file
	sum         uint32
	plain       bool       // not compressed
	long        *rules.Row // the only row, if the block is that alone, without its head
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newScratchFile makes a file in dir of rows with columns, or of delivered records.
func newScratchFile(dir string, cols []column.Column, secret bool) (*scratchFile, error) {
	f, err := os.CreateTemp(dir, "rows-*")
	if err != nil {
		return nil, err
	}
	p := &scratchFile{f: f, cols: cols}
	if secret {
		if p.aead, err = newCipher(); err != nil {
			return nil, errors.Join(err, p.remove())
		}
	}
	return p, nil
}

// newCipher returns a cipher under a new key, which only it knows.
func newCipher() (cipher.AEAD, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(c)
}

// nonce is that of a block: a key is used for one file only.
func (p *scratchFile) nonce(off int64) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 4, 12), uint64(off))
}

// write writes a block.
func (w *scratchWriter) write(ctx context.Context, b scratchBlock, content []byte) error {
	if err := failpoint.Hit(ctx, failpoint.SpillWrite); err != nil {
		return err
	}
	p := w.file
	c, plain := w.squeeze.squeeze(content)
	if p.aead != nil {
		c = p.aead.Seal(nil, p.nonce(b.off), c, nil)
	}
	if _, err := p.f.Write(c); err != nil {
		return err
	}
	b.size, b.sum, b.plain = len(c), crc32.Checksum(c, castagnoli), plain
	p.blocks = append(p.blocks, b)
	w.off += int64(len(c))
	return nil
}

// squeezer compresses blocks where that saves a third, which pays for the time that
// it takes twice. The next plainRun blocks after one where it does not are not tried:
// rows of a table are much alike. Nor are blocks of more than mostSqueezed bytes, which take
// enough memory as they are.
type squeezer struct {
	out  []byte
	left int // blocks that are not tried
}

const (
	plainRun     = 32
	mostSqueezed = 1 << 20
)

// squeeze returns block, or its compressed form until the next call.
func (z *squeezer) squeeze(block []byte) (out []byte, plain bool) {
	if len(block) > mostSqueezed {
		return block, true
	}
	if z.left > 0 {
		z.left--
		return block, true
	}
	if n := s2.MaxEncodedLen(len(block)); n > cap(z.out) {
		z.out = make([]byte, n)
	}
	c := s2.Encode(z.out[:cap(z.out)], block)
	if len(c) > len(block)/3*2 {
		z.left = plainRun
		return block, true
	}
	return c, false
}

func (p *scratchFile) remove() error { return errors.Join(p.f.Close(), os.Remove(p.f.Name())) }

// open returns a cursor over a range of the segment's rows that is one
// partition's.
func (p *scratchFile) open(r PartRange, v Verdicts) Cursor {
	from := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].first >= r.Lo })
	to := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].first >= r.Hi })
	return &scratchCursor{file: p, blocks: p.blocks[from:to], part: r.Part, verdicts: v}
}

type scratchCursor struct {
	file     *scratchFile
	blocks   []scratchBlock
	part     int64
	verdicts Verdicts
	buf      []byte
}

// Next implements Cursor.
func (c *scratchCursor) Next(context.Context) (*Chunk, error) {
	if len(c.blocks) == 0 {
		return nil, nil
	}
	b := c.blocks[0]
	c.blocks = c.blocks[1:]
	if b.long != nil {
		return &Chunk{Rows: []rules.Row{*b.long}, Verdicts: c.verdicts, First: b.first, Columns: c.file.cols,
			load: func() ([]byte, error) { return c.file.read(b, make([]byte, b.size)) }}, nil
	}
	block, err := c.file.read(b, c.blockBuffer(b))
	if err != nil {
		return nil, err
	}
	ch := readHeads(block, b.rows, c.part)
	ch.Verdicts, ch.First, ch.Columns, ch.block = c.verdicts, b.first, c.file.cols, block[b.rows*blockHead:]
	return ch, nil
}

// read returns the content of a block, which is read into buf.
func (p *scratchFile) read(b scratchBlock, buf []byte) ([]byte, error) {
	if _, err := p.f.ReadAt(buf, b.off); err != nil {
		return nil, fmt.Errorf("reading spilled rows of %s: %w", p.f.Name(), err)
	}
	return p.decode(b, buf)
}

// blockBuffer returns memory for a block of the file: memory of its own if rows will lie in
// it as it is.
func (c *scratchCursor) blockBuffer(b scratchBlock) []byte {
	if b.plain {
		return make([]byte, b.size)
	}
	if cap(c.buf) < b.size {
		c.buf = make([]byte, b.size+b.size/4)
	}
	return c.buf[:b.size]
}

func (p *scratchFile) decode(b scratchBlock, buf []byte) (block []byte, err error) {
	sound := crc32.Checksum(buf, castagnoli) == b.sum
	if sound && p.aead != nil {
		buf, err = p.aead.Open(buf[:0], p.nonce(b.off), buf, nil)
	}
	block = buf
	if sound && err == nil && !b.plain {
		block, err = s2.Decode(nil, buf)
	}
	if !sound || err != nil || b.long == nil && len(block) < b.rows*blockHead {
		return nil, p.damaged(b)
	}
	return block, nil
}

func (p *scratchFile) damaged(b scratchBlock) error {
	return fmt.Errorf("spilled rows in %s are damaged at byte %d", p.f.Name(), b.off)
}

// Close implements Cursor.
func (c *scratchCursor) Close() error { return nil }
