package parquet

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

var errDelta = errors.New("damaged delta-packed numbers")

const (
	deltaBlock = 128 // values in a block written
	deltaMini  = 32  // values in a miniblock written
)

// appendDelta appends vals in the DELTA_BINARY_PACKED encoding. narrow is for
// INT32 columns, whose differences wrap around at 32 bits so that no reader
// meets a wider one.
func appendDelta(dst []byte, vals []int64, narrow bool) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaBlock/deltaMini)
	dst = binary.AppendUvarint(dst, uint64(len(vals)))
	if len(vals) == 0 {
		return append(dst, 0)
	}
	prev := vals[0]
	dst = binary.AppendVarint(dst, prev)
	var d [deltaBlock]int64
	for vals = vals[1:]; len(vals) > 0; {
		n := min(len(vals), deltaBlock)
		for i, v := range vals[:n] {
			d[i] = v - prev
			prev = v
		}
		if narrow {
			for i := range d[:n] {
				d[i] = int64(int32(d[i]))
			}
		}
		dst = appendDeltaBlock(dst, &d, n, narrow)
		vals = vals[n:]
	}
	return dst
}

// appendDeltaBlock appends the first n differences of d, which it overwrites.
func appendDeltaBlock(dst []byte, d *[deltaBlock]int64, n int, narrow bool) []byte {
	least := d[0]
	for _, v := range d[1:n] {
		least = min(least, v)
	}
	dst = binary.AppendVarint(dst, least)
	var u [deltaBlock]uint64
	for i, v := range d[:n] {
		u[i] = uint64(v - least)
		if narrow {
			u[i] &= 1<<32 - 1
		}
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for m := 0; m*deltaMini < n; m++ {
		mini := (*[deltaMini]uint64)(u[m*deltaMini:])
		var or uint64
		for _, v := range mini {
			or |= v
		}
		w := bits.Len64(or)
		dst[at+m] = byte(w)
		dst = pack32(dst, mini, uint(w))
	}
	return dst
}

// pack32 appends 32 values of width bits.
func pack32(dst []byte, v *[deltaMini]uint64, width uint) []byte {
	var acc uint64
	var n uint
	for _, x := range v {
		acc |= x << n
		if n += width; n >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			n -= 64
			acc = x >> (width - n)
		}
	}
	if n > 0 { // 32 values of an odd width end on half a word
		dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
	}
	return dst
}

// decodeDelta fills dst and wants all of src to be used up.
func decodeDelta(dst []int64, src []byte, narrow bool) error {
	block, k1 := binary.Uvarint(src)
	minis, k2 := binary.Uvarint(src[max(k1, 0):])
	if k1 <= 0 || k2 <= 0 || block == 0 || block > 1<<16 || minis == 0 || block%minis != 0 || block/minis%32 != 0 {
		return errDelta
	}
	src = src[k1+k2:]
	count, k1 := binary.Uvarint(src)
	first, k2 := binary.Varint(src[max(k1, 0):])
	if k1 <= 0 || k2 <= 0 || count != uint64(len(dst)) {
		return errDelta
	}
	src = src[k1+k2:]
	if len(dst) > 0 {
		dst[0] = first
		dst = dst[1:]
	}
	var err error
	for prev := first; len(dst) > 0; {
		n := min(len(dst), int(block))
		if src, err = decodeDeltaBlock(dst[:n], src, int(minis), int(block/minis)); err != nil {
			return err
		}
		for i := range dst[:n] {
			prev += dst[i]
			if narrow {
				prev = int64(int32(prev))
			}
			dst[i] = prev
		}
		dst = dst[n:]
	}
	if len(src) != 0 {
		return errDelta
	}
	return nil
}

// decodeDeltaBlock fills d with the differences of one block and returns what
// follows it.
func decodeDeltaBlock(d []int64, src []byte, minis, size int) ([]byte, error) {
	least, k := binary.Varint(src)
	if k <= 0 || len(src)-k < minis {
		return nil, errDelta
	}
	widths := src[k : k+minis]
	src = src[k+minis:]
	for _, w := range widths {
		if len(d) == 0 {
			break
		}
		n, need := min(size, len(d)), size/8*int(w)
		if w > 64 || need > len(src) {
			return nil, errDelta
		}
		unpackDelta(d[:n], src[:need], uint(w), least)
		d, src = d[n:], src[need:]
	}
	return src, nil
}

// unpackDelta reads values of width bits and adds least to each.
func unpackDelta(d []int64, src []byte, width uint, least int64) {
	mask := uint64(1)<<width - 1 // all ones for 64
	var acc uint64
	var n uint
	for i := range d {
		if n >= width {
			d[i] = int64(acc&mask) + least
			acc >>= width
			n -= width
			continue
		}
		var next uint64
		var got uint
		if len(src) >= 8 {
			next, got, src = binary.LittleEndian.Uint64(src), 64, src[8:]
		} else {
			for _, b := range src {
				next |= uint64(b) << got
				got += 8
			}
			src = nil
		}
		d[i] = int64((acc|next<<n)&mask) + least
		acc = next >> (width - n)
		n = n + got - width
	}
}
