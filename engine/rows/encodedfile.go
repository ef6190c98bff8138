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
	"reconcile/internal/failpoint"
)

// encodedFile is a scratch file of encoded rows: blocks of sorted rows, each of one
// partition, compressed one by one where that saves enough.
type encodedFile struct {
	f      *os.File
	blocks []encodedBlock
	aead   cipher.AEAD // nil if the rows are no secret
}

type encodedBlock struct {
	first, rows int // of the segment's rows
	off         int64
	size        int // in the file
	sum         uint32
	plain       bool       // not compressed
	long        *rules.Row // the only row, if the block is its record
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spillEncoded writes an encoded segment to a scratch file.
func (s *Segment) spillEncoded(ctx context.Context, dir string, block ScratchBlock) (*encodedFile, error) {
	f, err := os.CreateTemp(dir, "rows-*")
	if err != nil {
		return nil, scratchError(dir, err)
	}
	p := &encodedFile{f: f}
	if s.secret {
		p.aead, err = newCipher()
	}
	if err == nil {
		err = s.writePack(ctx, p, block)
	}
	if err != nil {
		return nil, scratchError(dir, errors.Join(err, p.remove()))
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
func (p *encodedFile) nonce(off int64) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 4, 12), uint64(off))
}

func (s *Segment) writePack(ctx context.Context, p *encodedFile, most ScratchBlock) error {
	var block []byte
	var z squeezer
	off := int64(0)
	for _, part := range s.Parts {
		for lo := part.Lo; lo < part.Hi; {
			if err := failpoint.Hit(ctx, failpoint.SpillWrite); err != nil {
				return err
			}
			hi := s.blockEnd(lo, part.Hi, most)
			var long *rules.Row
			content := block
			if s.isLong(lo, most) {
				row := s.rows[lo]
				long, content = &row, s.slabs.record(&row)
			} else {
				block = s.appendBlock(block[:0], lo, hi)
				content = block
			}
			c, plain := z.squeeze(content)
			if p.aead != nil {
				c = p.aead.Seal(nil, p.nonce(off), c, nil)
			}
			if _, err := p.f.Write(c); err != nil {
				return err
			}
			p.blocks = append(p.blocks, encodedBlock{lo, hi - lo, off, len(c), crc32.Checksum(c, castagnoli), plain, long})
			off += int64(len(c))
			lo = hi
		}
	}
	return nil
}

// squeezer compresses blocks where that saves a third, which pays for the time that
// it takes twice. The next plainRun blocks after one where it does not are not tried:
// rows of a table are much alike.
type squeezer struct {
	out  []byte
	left int // blocks that are not tried
}

const plainRun = 32

// squeeze returns block, or its compressed form until the next call.
func (z *squeezer) squeeze(block []byte) (out []byte, plain bool) {
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

func (p *encodedFile) remove() error { return errors.Join(p.f.Close(), os.Remove(p.f.Name())) }

// open returns a cursor over a range of the segment's rows that is one
// partition's.
func (p *encodedFile) open(r PartRange, v Verdicts) Cursor {
	from := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].first >= r.Lo })
	to := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].first >= r.Hi })
	return &encodedCursor{file: p, blocks: p.blocks[from:to], part: r.Part, verdicts: v}
}

type encodedCursor struct {
	file     *encodedFile
	blocks   []encodedBlock
	part     int64
	verdicts Verdicts
	buf      []byte
}

func (c *encodedCursor) Next(context.Context) (*Chunk, error) {
	if len(c.blocks) == 0 {
		return nil, nil
	}
	b := c.blocks[0]
	c.blocks = c.blocks[1:]
	if b.long != nil {
		return &Chunk{Rows: []rules.Row{*b.long}, Verdicts: c.verdicts, First: b.first,
			load: func() ([]byte, error) { return c.file.read(b, make([]byte, b.size)) }}, nil
	}
	block, err := c.file.read(b, c.blockBuffer(b))
	if err != nil {
		return nil, err
	}
	ch := readBlock(block, b.rows, c.part)
	ch.Verdicts, ch.First = c.verdicts, b.first
	return ch, nil
}

// read returns the content of a block, which is read into buf.
func (p *encodedFile) read(b encodedBlock, buf []byte) ([]byte, error) {
	if _, err := p.f.ReadAt(buf, b.off); err != nil {
		return nil, fmt.Errorf("reading spilled rows: %w", err)
	}
	return p.decode(b, buf)
}

// blockBuffer returns memory for a block of the file: memory of its own if rows will lie in
// it as it is.
func (c *encodedCursor) blockBuffer(b encodedBlock) []byte {
	if b.plain {
		return make([]byte, b.size)
	}
	if cap(c.buf) < b.size {
		c.buf = make([]byte, b.size+b.size/4)
	}
	return c.buf[:b.size]
}

func (p *encodedFile) decode(b encodedBlock, buf []byte) (block []byte, err error) {
	sound := crc32.Checksum(buf, castagnoli) == b.sum
	if sound && p.aead != nil {
		buf, err = p.aead.Open(buf[:0], p.nonce(b.off), buf, nil)
	}
	block = buf
	if sound && err == nil && !b.plain {
		block, err = s2.Decode(nil, buf)
	}
	if !sound || err != nil || b.long == nil && len(block) < b.rows*blockHead {
		return nil, fmt.Errorf("spilled rows in %s are damaged at byte %d", p.f.Name(), b.off)
	}
	return block, nil
}

func (c *encodedCursor) Close() error { return nil }
