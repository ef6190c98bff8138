package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"reconcile/internal/wire"
)

// The stored form of a mapping, integers little-endian:
//
//	header  magic[8], entries u64, CRC-32C of these u32
//	blocks  of blockLen entries, the last one shorter:
//	        raw length u32, stored length u32, CRC-32C of both lengths and the
//	        payload u32, payload (zstd)
//
// A block is, column by column: the sources (the first as zigzag varint, then
// the distances as uvarints), the targets (zigzag distances), a byte that tells
// which entries have a time (noneTimed, allTimed or someTimed with a bitmap),
// and the times (zigzag distances). Equal mappings have equal bytes under one
// version of the compressor.

const (
	magic     = "rcnmap\x00\x01"
	headLen   = len(magic) + 8 + 4
	frameLen  = 12
	maxRaw    = blockLen*3*binary.MaxVarintLen64 + 1 + blockLen/8
	maxStored = maxRaw + 1024
)

const (
	noneTimed = iota
	allTimed
	someTimed
)

// ErrDamaged is in the chain of every error that stored bytes cause.
var ErrDamaged = errors.New("stored mapping is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode writes the mapping in its stored form. Errors are those of w.
func (m *Mapping) Encode(w io.Writer) error {
	head := binary.LittleEndian.AppendUint64([]byte(magic), uint64(m.Len()))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("writing a mapping: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return fmt.Errorf("preparing the compressor of a mapping: %w", err)
	}
	defer enc.Close()
	var raw, out []byte
	for lo := 0; lo < m.Len(); lo += blockLen {
		raw = m.appendBlock(raw[:0], lo, min(lo+blockLen, m.n))
		out = enc.EncodeAll(raw, append(out[:0], make([]byte, frameLen)...))
		binary.LittleEndian.PutUint32(out, uint32(len(raw)))
		binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-frameLen))
		binary.LittleEndian.PutUint32(out[8:], frameSum(out, out[frameLen:]))
		if _, err := w.Write(out); err != nil {
			return fmt.Errorf("writing a mapping: %w", err)
		}
	}
	return nil
}

func frameSum(frame, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:8], castagnoli), castagnoli, payload)
}

func (m *Mapping) appendBlock(b []byte, lo, hi int) []byte {
	b = binary.AppendVarint(b, m.from.at(lo))
	for i := lo + 1; i < hi; i++ {
		b = binary.AppendUvarint(b, uint64(m.from.at(i)-m.from.at(i-1)))
	}
	prev := int64(0)
	for i := lo; i < hi; i++ {
		b = binary.AppendVarint(b, m.to.at(i)-prev)
		prev = m.to.at(i)
	}
	return m.appendTimes(b, lo, hi)
}

func (m *Mapping) appendTimes(b []byte, lo, hi int) []byte {
	timed := 0
	for i := lo; i < hi; i++ {
		if m.time.at(i) != noTime {
			timed++
		}
	}
	switch timed {
	case 0:
		return append(b, noneTimed)
	case hi - lo:
		b = append(b, allTimed)
	default:
		b = append(b, someTimed)
		bits := len(b)
		b = append(b, make([]byte, (hi-lo+7)/8)...)
		for i := lo; i < hi; i++ {
			if m.time.at(i) != noTime {
				b[bits+(i-lo)/8] |= 1 << ((i - lo) % 8)
			}
		}
	}
	prev := int64(0)
	for i := lo; i < hi; i++ {
		if t := m.time.at(i); t != noTime {
			b = binary.AppendVarint(b, t-prev)
			prev = t
		}
	}
	return b
}

// Decode reads a mapping that Encode wrote, exactly size bytes of r. Bytes that
// were changed, cut off or added are an ErrDamaged; a format version that this
// program does not know and errors of r are other errors.
func Decode(r io.Reader, size int64) (*Mapping, error) {
	n, err := readHead(r, size)
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(maxRaw)))
	if err != nil {
		return nil, fmt.Errorf("preparing the decompressor of a mapping: %w", err)
	}
	defer dec.Close()
	m := &Mapping{}
	f := frameReader{r: r, left: size - int64(headLen), dec: dec}
	for uint64(m.n) < n {
		raw, err := f.next()
		if err != nil {
			return nil, fmt.Errorf("reading entry %d of a mapping: %w", m.n, err)
		}
		if err := m.decodeBlock(raw, int(min(blockLen, n-uint64(m.n)))); err != nil {
			return nil, fmt.Errorf("reading entry %d of a mapping: %w", m.n, err)
		}
	}
	if f.left != 0 {
		return nil, damaged("%d bytes follow the last block", f.left)
	}
	return m, nil
}

func readHead(r io.Reader, size int64) (entries uint64, err error) {
	var head [headLen]byte
	if size < int64(headLen) {
		return 0, damaged("it has %d bytes, fewer than its header", size)
	}
	if err := readFull(r, head[:]); err != nil {
		return 0, fmt.Errorf("reading the header of a mapping: %w", err)
	}
	if string(head[:len(magic)-1]) != magic[:len(magic)-1] {
		return 0, damaged("it does not begin with the mark of a mapping")
	}
	sum := binary.LittleEndian.Uint32(head[headLen-4:])
	if crc32.Checksum(head[:headLen-4], castagnoli) != sum {
		return 0, damaged("checksum of the header")
	}
	if v := head[len(magic)-1]; v != magic[len(magic)-1] {
		return 0, fmt.Errorf("stored mapping has format version %d; this program reads version %d", v, magic[len(magic)-1])
	}
	if entries = binary.LittleEndian.Uint64(head[len(magic):]); entries >= math.MaxUint32 {
		return 0, damaged("its header says %d entries", entries)
	}
	return entries, nil
}

// readFull is io.ReadFull, for which an early end is damage.
func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("it ends early")
	}
	return err
}

// frameReader reads the blocks of a stored mapping.
type frameReader struct {
	r        io.Reader
	left     int64
	dec      *zstd.Decoder
	in, data []byte
}

// next returns the content of the next block, valid until the following call.
func (f *frameReader) next() ([]byte, error) {
	var frame [frameLen]byte
	if f.left < frameLen {
		return nil, damaged("it ends early")
	}
	if err := readFull(f.r, frame[:]); err != nil {
		return nil, err
	}
	rawLen, stored := binary.LittleEndian.Uint32(frame[:]), binary.LittleEndian.Uint32(frame[4:])
	f.left -= frameLen
	if rawLen > uint32(maxRaw) || stored > uint32(maxStored) || int64(stored) > f.left {
		return nil, damaged("lengths of a block")
	}
	if cap(f.in) < int(stored) {
		f.in = make([]byte, maxStored)
	}
	f.in = f.in[:stored]
	if err := readFull(f.r, f.in); err != nil {
		return nil, err
	}
	f.left -= int64(stored)
	if frameSum(frame[:], f.in) != binary.LittleEndian.Uint32(frame[8:]) {
		return nil, damaged("checksum of a block")
	}
	data, err := f.dec.DecodeAll(f.in, f.data[:0])
	if err != nil {
		return nil, damaged("compression of a block: %v", err)
	}
	if f.data = data; len(data) != int(rawLen) {
		return nil, damaged("length of a block")
	}
	return data, nil
}

// decodeBlock appends the n entries of a block.
func (m *Mapping) decodeBlock(raw []byte, n int) error {
	d := wire.Reader{Rest: raw}
	recs := [3]*block{new(block), new(block), new(block)}
	from, to, time := recs[0], recs[1], recs[2]
	from[0] = d.Varint()
	for i := 1; i < n; i++ {
		from[i] = from[i-1] + int64(d.Uvarint())
		if from[i] <= from[i-1] {
			return damaged("sources out of order")
		}
	}
	if m.n > 0 && from[0] <= m.from.at(m.n-1) {
		return damaged("sources out of order")
	}
	prev := int64(0)
	for i := range n {
		prev += d.Varint()
		to[i] = prev
	}
	decodeTimes(&d, time[:n])
	if d.Bad || len(d.Rest) > 0 {
		return damaged("content of a block")
	}
	m.from, m.to, m.time = append(m.from, from), append(m.to, to), append(m.time, time)
	m.n += n
	return nil
}

func decodeTimes(d *wire.Reader, time []int64) {
	kind, bits := d.Take(1), []byte(nil)
	if d.Bad {
		return
	}
	switch kind[0] {
	case noneTimed, allTimed:
	case someTimed:
		bits = d.Take((len(time) + 7) / 8)
	default:
		d.Bad = true
	}
	prev := int64(0)
	for i := range time {
		if d.Bad {
			return
		}
		time[i] = noTime
		if kind[0] == allTimed || kind[0] == someTimed && bits[i/8]>>(i%8)&1 == 1 {
			prev += d.Varint()
			time[i] = prev
		}
	}
}
