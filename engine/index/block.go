package index

import (
	"encoding/binary"
	"math/bits"

	"reconcile/internal/wire"
)

// A block is, column by column: the bytes of a hash, as one byte; the number of
// users, the distances of their raw ids (the first is in the directory), the
// number of entries of each, the partitions (per user the first, then distances)
// as uvarints; and the hashes, for they do not compress.

// blockBuilder collects the columns of a block.
type blockBuilder struct {
	deltas, counts, parts []byte
	hashes                []uint32
	widest                uint32 // all hashes together

	info  blockInfo
	users uint64
	count uint64 // entries of the user that is under way
	last  Entry
}

func (b *blockBuilder) add(e Entry) {
	part := e.Part
	switch {
	case b.info.entries == 0:
		b.info.first, b.users = e.Raw, 1
	case e.Raw != b.last.Raw:
		b.counts = binary.AppendUvarint(b.counts, b.count)
		b.deltas = binary.AppendUvarint(b.deltas, uint64(e.Raw-b.last.Raw))
		b.users++
		b.count = 0
	default:
		part -= b.last.Part
	}
	b.parts = binary.AppendUvarint(b.parts, uint64(part))
	b.hashes = append(b.hashes, e.Hash)
	b.widest |= e.Hash
	b.count++
	b.info.entries++
	b.last = e
}

// full reports whether the block has reached its size.
func (b *blockBuilder) full() bool {
	return len(b.deltas)+len(b.counts)+len(b.parts)+4*len(b.hashes) >= blockLimit
}

// finish appends the block to dst, says what it is, and begins a new one.
func (b *blockBuilder) finish(dst []byte) ([]byte, blockInfo) {
	b.counts = binary.AppendUvarint(b.counts, b.count)
	start := len(dst)
	width := max((bits.Len32(b.widest)+7)/8, 1)
	dst = append(dst, byte(width))
	dst = binary.AppendUvarint(dst, b.users)
	dst = append(dst, b.deltas...)
	dst = append(dst, b.counts...)
	dst = append(dst, b.parts...)
	for _, h := range b.hashes {
		dst = append(dst, byte(h), byte(h>>8), byte(h>>16), byte(h>>24))[:len(dst)+width]
	}
	info := b.info
	info.last = b.last.Raw
	info.size = uint32(len(dst) - start)
	info.sum = checksum(dst[start:])
	*b = blockBuilder{deltas: b.deltas[:0], counts: b.counts[:0], parts: b.parts[:0], hashes: b.hashes[:0]}
	return dst, info
}

// blockDecoder decodes blocks into a buffer that it keeps.
type blockDecoder struct {
	entries []Entry
	raws    []int64
}

// decode returns the entries of a block of a run of that version, valid until the
// next call: all of them, or those of some users, who are ascending, if only is not nil.
func (b *blockDecoder) decode(data []byte, k blockInfo, version byte, only []int64) ([]Entry, error) {
	if checksum(data) != k.sum {
		return nil, damaged("checksum of a block")
	}
	width := 4
	if version > 1 && len(data) > 0 {
		width, data = int(data[0]), data[1:]
	}
	n := int(k.entries)
	if width < 1 || width > 4 || n > len(data)/(1+width) { // a partition takes a byte, too
		return nil, damaged("content of a block")
	}
	at := len(data) - width*n
	d, hashes := wire.Reader{Rest: data[:at]}, hashes{data[at:], width}
	if err := b.users(&d, k); err != nil {
		return nil, err
	}
	if cap(b.entries) < n {
		b.entries = make([]Entry, n, max(n, 4096))
	}
	entries, ok := decodePlaces(b.entries[:0], n, b.raws, only, &d, hashes)
	if !ok || d.Bad || len(d.Rest) > 0 {
		return nil, damaged("content of a block")
	}
	if version == 1 { // hashes had 32 bits
		for i := range entries {
			entries[i].Hash >>= 32 - HashBits
		}
	}
	return entries, nil
}

// hashes are those of a block, one after the other.
type hashes struct {
	data  []byte
	width int
}

func (h hashes) at(i int) uint32 {
	v := uint32(0)
	for k, b := range h.data[i*h.width : (i+1)*h.width] {
		v |= uint32(b) << (8 * k)
	}
	return v
}

// users reads the raw ids of a block.
func (b *blockDecoder) users(d *wire.Reader, k blockInfo) error {
	users := d.Uvarint()
	if users == 0 || users > uint64(k.entries) {
		return damaged("users of a block")
	}
	raw := k.first
	b.raws = append(b.raws[:0], raw)
	for range users - 1 {
		next := raw + int64(d.Uvarint())
		if next <= raw {
			return damaged("users of a block are out of order")
		}
		raw = next
		b.raws = append(b.raws, raw)
	}
	if raw != k.last {
		return damaged("users of a block")
	}
	return nil
}

// decodePlaces appends to dst the entries that n counts, partitions and hashes of a
// block make, and reports whether these are an ascending list. Those of users who are
// not wanted are passed over.
func decodePlaces(dst []Entry, n int, raws []int64, only []int64, counts *wire.Reader, h hashes) ([]Entry, bool) {
	parts := *counts
	parts.Skip(len(raws))
	all, i := only == nil, 0
	for _, raw := range raws {
		mine := counts.Uvarint()
		if mine == 0 || mine > uint64(n-i) {
			return nil, false
		}
		for len(only) > 0 && only[0] < raw {
			only = only[1:]
		}
		if !all && (len(only) == 0 || only[0] != raw) {
			parts.Skip(int(mine))
			i += int(mine)
			continue
		}
		part, place := uint64(0), uint64(0)
		for k := range mine {
			part += parts.Uvarint()
			e := Entry{Raw: raw, Part: uint32(part), Hash: h.at(i)}
			if part>>32 != 0 || k > 0 && e.place() <= place {
				return nil, false
			}
			place = e.place()
			dst = append(dst, e)
			i++
		}
	}
	*counts = parts
	return dst, i == n
}
