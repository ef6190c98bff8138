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

	"reconcile/internal/failpoint"
)

// blockBytes is the size of a block in a scratch file of packed rows, before
// compression. A merge holds one block of every segment.
const blockBytes = 60 << 10

// packFile is a scratch file of packed rows: blocks of sorted rows, each of one
// partition, compressed one by one.
type packFile struct {
	f      *os.File
	blocks []packBlock
	aead   cipher.AEAD // nil if the rows are no secret
}

type packBlock struct {
	first, rows int // of the segment's rows
	off         int64
	size        int // in the file
	sum         uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spillPack writes a packed segment to a scratch file.
func (s *Segment) spillPack(ctx context.Context, dir string, group int) (*packFile, error) {
	f, err := os.CreateTemp(dir, "rows-*")
	if err != nil {
		return nil, scratchError(dir, err)
	}
	p := &packFile{f: f}
	if s.secret {
		p.aead, err = newCipher()
	}
	if err == nil {
		err = s.writePack(ctx, p, group)
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
func (p *packFile) nonce(off int64) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 4, 12), uint64(off))
}

func (s *Segment) writePack(ctx context.Context, p *packFile, group int) error {
	var block, out []byte
	off := int64(0)
	for _, part := range s.Parts {
		for lo := part.Lo; lo < part.Hi; {
			if err := failpoint.Hit(ctx, failpoint.SpillWrite); err != nil {
				return err
			}
			hi := s.blockEnd(lo, part.Hi, group)
			block = s.appendBlock(block[:0], lo, hi)
			if n := s2.MaxEncodedLen(len(block)); n > cap(out) {
				out = make([]byte, n)
			}
			c := s2.Encode(out[:cap(out)], block)
			if p.aead != nil {
				c = p.aead.Seal(nil, p.nonce(off), c, nil)
			}
			if _, err := p.f.Write(c); err != nil {
				return err
			}
			p.blocks = append(p.blocks, packBlock{lo, hi - lo, off, len(c), crc32.Checksum(c, castagnoli)})
			off += int64(len(c))
			lo = hi
		}
	}
	return nil
}

func (p *packFile) remove() error { return errors.Join(p.f.Close(), os.Remove(p.f.Name())) }

// open returns a cursor over a range of the segment's rows that is one
// partition's.
func (p *packFile) open(r PartRange, v Verdicts) Cursor {
	from := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].first >= r.Lo })
	to := sort.Search(len(p.blocks), func(i int) bool { return p.blocks[i].first >= r.Hi })
	return &packCursor{file: p, blocks: p.blocks[from:to], part: r.Part, verdicts: v}
}

type packCursor struct {
	file     *packFile
	blocks   []packBlock
	part     int64
	verdicts Verdicts
	buf      []byte
}

func (c *packCursor) Next(context.Context) (*Chunk, error) {
	if len(c.blocks) == 0 {
		return nil, nil
	}
	b := c.blocks[0]
	c.blocks = c.blocks[1:]
	if cap(c.buf) < b.size {
		c.buf = make([]byte, b.size+b.size/4)
	}
	buf := c.buf[:b.size]
	if _, err := c.file.f.ReadAt(buf, b.off); err != nil {
		return nil, fmt.Errorf("reading spilled rows: %w", err)
	}
	block, err := c.file.decode(b, buf)
	if err != nil {
		return nil, err
	}
	ch := readBlock(block, b.rows, c.part)
	ch.Verdicts, ch.First = c.verdicts, b.first
	return ch, nil
}

func (p *packFile) decode(b packBlock, buf []byte) (block []byte, err error) {
	sound := crc32.Checksum(buf, castagnoli) == b.sum
	if sound && p.aead != nil {
		buf, err = p.aead.Open(buf[:0], p.nonce(b.off), buf, nil)
	}
	if sound && err == nil {
		block, err = s2.Decode(nil, buf)
	}
	if !sound || err != nil || len(block) < b.rows*blockHead {
		return nil, fmt.Errorf("spilled rows in %s are damaged at byte %d", p.f.Name(), b.off)
	}
	return block, nil
}

func (c *packCursor) Close() error { return nil }
