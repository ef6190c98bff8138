package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"reconcile/internal/wire"
)

// The stored form of a run, integers little-endian:
//
//	magic[8]
//	segments, each: blocks, then the filter over the users of the segment
//	directory: segments and blocks, their lengths, counts and checksums
//	footer: place and length of the directory u64 u64, entries u64, users u64,
//	        CRC-32C of the directory u32, magic[8], CRC-32C of the footer u32
//
// A user is in one segment only, but can go on from one block into the next.
// See block.go for the blocks and filter.go for the filter. In version 1 a block
// does not begin with the width of its hashes, which is four bytes.

// FormatVersion is that of the runs that are written. Older ones are read.
const FormatVersion = 2

const (
	magic      = "rcpost\x00" + string(rune(FormatVersion))
	footerLen  = 4*8 + 4 + len(magic) + 4
	blockLimit = 4 << 10  // a block ends with the entry that reaches this
	maxBlock   = 32 << 10 // blocks had up to 16 KiB, and what their last entry takes
)

// ErrDamaged is in the chain of every error that stored bytes cause.
var ErrDamaged = errors.New("index run is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// blockInfo is what the directory says of a block.
type blockInfo struct {
	first, last int64 // raw users
	off         int64
	size        uint32
	entries     uint32
	sum         uint32
}

// segment is what the directory says of a segment.
type segment struct {
	blocks    []blockInfo
	users     uint64
	filterOff int64
	filterLen uint32 // 0: no filter, every user may be there
	filterSum uint32
}

func (s *segment) first() int64 { return s.blocks[0].first }
func (s *segment) last() int64  { return s.blocks[len(s.blocks)-1].last }

type footer struct {
	dirOff, dirLen, entries, users uint64
	dirSum                         uint32
	version                        byte
}

func (f footer) bytes() []byte {
	var b []byte
	for _, v := range []uint64{f.dirOff, f.dirLen, f.entries, f.users} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, f.dirSum)
	b = append(b, magic...)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

func parseFooter(b []byte) (f footer, err error) {
	body := b[:footerLen-4]
	if checksum(body) != binary.LittleEndian.Uint32(b[footerLen-4:]) {
		return f, damaged("checksum of the footer")
	}
	for i, v := range []*uint64{&f.dirOff, &f.dirLen, &f.entries, &f.users} {
		*v = binary.LittleEndian.Uint64(body[8*i:])
	}
	f.dirSum = binary.LittleEndian.Uint32(body[32:])
	f.version = body[36+len(magic)-1]
	return f, checkMagic(body[36:])
}

func checkMagic(b []byte) error {
	const mark = len(magic) - 1
	if string(b[:mark]) != magic[:mark] {
		return damaged("it does not bear the mark of an index run")
	}
	if b[mark] < 1 || b[mark] > magic[mark] {
		return fmt.Errorf("index run has format version %d; this program reads versions up to %d", b[mark], magic[mark])
	}
	return nil
}

// appendDirectory appends the stored form of segments. Offsets are not stored:
// everything follows without a gap.
func appendDirectory(b []byte, segs []segment) []byte {
	b = binary.AppendUvarint(b, uint64(len(segs)))
	prev := int64(math.MinInt64)
	for i := range segs {
		s := &segs[i]
		b = binary.AppendUvarint(b, uint64(len(s.blocks)))
		b = binary.AppendUvarint(b, s.users)
		b = binary.AppendUvarint(b, uint64(s.filterLen))
		b = binary.LittleEndian.AppendUint32(b, s.filterSum)
		for _, k := range s.blocks {
			b = binary.AppendUvarint(b, uint64(k.first-prev))
			b = binary.AppendUvarint(b, uint64(k.last-k.first))
			b = binary.AppendUvarint(b, uint64(k.size))
			b = binary.AppendUvarint(b, uint64(k.entries))
			b = binary.LittleEndian.AppendUint32(b, k.sum)
			prev = k.last
		}
	}
	return b
}

// parseDirectory reads what appendDirectory wrote and checks it against the
// footer.
func parseDirectory(b []byte, f footer) ([]segment, error) {
	p := dirParser{d: wire.Reader{Rest: b}, off: int64(len(magic)), prev: math.MinInt64}
	n := p.d.Uvarint()
	if n > uint64(len(b)) {
		return nil, damaged("number of segments")
	}
	segs := make([]segment, 0, n)
	for range n {
		s, err := p.segment()
		if err != nil {
			return nil, err
		}
		segs = append(segs, s)
	}
	if p.d.Bad || len(p.d.Rest) > 0 || p.off != int64(f.dirOff) || p.entries != f.entries || p.users != f.users {
		return nil, damaged("directory and footer disagree")
	}
	return segs, nil
}

type dirParser struct {
	d              wire.Reader
	off, prev      int64
	blocks         int
	entries, users uint64
}

func (p *dirParser) segment() (s segment, err error) {
	n := p.d.Uvarint()
	s.users, s.filterLen = p.d.Uvarint(), p.d.Uvarint32()
	s.filterSum = p.d.Fixed32()
	if n == 0 || n > uint64(len(p.d.Rest)) {
		return s, damaged("number of blocks")
	}
	s.blocks = make([]blockInfo, 0, n)
	entries := p.entries
	for i := range n {
		k, err := p.block(i == 0)
		if err != nil {
			return s, err
		}
		s.blocks = append(s.blocks, k)
	}
	if s.users == 0 || s.users > p.entries-entries {
		return s, damaged("number of users")
	}
	s.filterOff = p.off
	p.off += int64(s.filterLen)
	p.users += s.users
	return s, nil
}

// block reads one block's part. The first block of a segment begins with a new
// user; another one may go on with the last user of the block before.
func (p *dirParser) block(opens bool) (k blockInfo, err error) {
	gap := p.d.Uvarint()
	k.first = p.prev + int64(gap)
	width := p.d.Uvarint()
	k.last = k.first + int64(width)
	k.size, k.entries = p.d.Uvarint32(), p.d.Uvarint32()
	k.sum = p.d.Fixed32()
	k.off = p.off
	follows := k.first > p.prev || k.first == p.prev && (!opens || p.blocks == 0)
	switch {
	case p.d.Bad:
		return k, damaged("directory ends early")
	case !follows || k.last < k.first:
		return k, damaged("blocks out of order")
	case k.size > maxBlock || k.entries == 0 || k.entries > k.size:
		return k, damaged("size of a block")
	}
	p.blocks++
	p.off += int64(k.size)
	p.prev = k.last
	p.entries += uint64(k.entries)
	return k, nil
}

// readAt fills p from off; an end before that is damage.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return damaged("it ends early")
	}
	return err
}
