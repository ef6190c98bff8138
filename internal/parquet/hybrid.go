package parquet

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

var errRuns = errors.New("damaged run-length data")

// appendHybrid appends ids in the RLE/bit-packed hybrid encoding, width bits
// each (1 to 32). Runs are looked for in groups of eight, the unit of packing.
func appendHybrid(dst []byte, ids []uint32, width uint) []byte {
	minRun := (32+8*((int(width)+7)/8))/int(width) + 1 // shorter ones save nothing
	lit, i := 0, 0
	for i+8 <= len(ids) {
		g := ids[i : i+8 : i+8]
		v := g[0]
		if (g[1]^v)|(g[2]^v)|(g[3]^v)|(g[4]^v)|(g[5]^v)|(g[6]^v)|(g[7]^v) != 0 {
			i += 8
			continue
		}
		j := i + 8
		for j < len(ids) && ids[j] == v {
			j++
		}
		if j-i < minRun {
			i += (j - i) &^ 7
			continue
		}
		dst = appendPackedRun(dst, ids[lit:i], width)
		dst = binary.AppendUvarint(dst, uint64(j-i)<<1)
		for n := width; ; n -= 8 {
			dst = append(dst, byte(v))
			v >>= 8
			if n <= 8 {
				break
			}
		}
		i, lit = j, j
	}
	return appendPackedRun(dst, ids[lit:], width)
}

// appendPackedRun appends ids as one bit-packed run, padded with zeros to a
// multiple of eight.
func appendPackedRun(dst []byte, ids []uint32, width uint) []byte {
	if len(ids) == 0 {
		return dst
	}
	groups := (len(ids) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	at := len(dst)
	dst = grow(dst, groups*int(width)+16)
	full := len(ids) &^ 7
	for i := 0; i < full; i += 8 {
		pack8(dst[at:], (*[8]uint32)(ids[i:]), width)
		at += int(width)
	}
	if full < len(ids) {
		var last [8]uint32
		copy(last[:], ids[full:])
		pack8(dst[at:], &last, width)
		at += int(width)
	}
	return dst[:at]
}

// pack8 writes eight values of width bits; dst has room for width bytes and
// up to 16 more, which may be overwritten.
func pack8(dst []byte, v *[8]uint32, width uint) {
	if width <= 8 {
		w := width & 63
		x := uint64(v[0]) | uint64(v[1])<<w | uint64(v[2])<<(2*w) | uint64(v[3])<<(3*w) |
			uint64(v[4])<<(4*w) | uint64(v[5])<<(5*w) | uint64(v[6])<<(6*w) | uint64(v[7])<<(7*w)
		binary.LittleEndian.PutUint64(dst, x)
		return
	}
	if width <= 16 {
		w := width & 63
		lo := uint64(v[0]) | uint64(v[1])<<w | uint64(v[2])<<(2*w) | uint64(v[3])<<(3*w)
		hi := uint64(v[4]) | uint64(v[5])<<w | uint64(v[6])<<(2*w) | uint64(v[7])<<(3*w)
		binary.LittleEndian.PutUint64(dst, lo|hi<<(4*w))
		binary.LittleEndian.PutUint64(dst[8:], hi>>(64-4*w))
		return
	}
	var acc uint64
	var n uint
	for _, x := range v {
		acc |= uint64(x) << n
		if n += width; n >= 32 {
			binary.LittleEndian.PutUint32(dst, uint32(acc))
			dst, acc, n = dst[4:], acc>>32, n-32
		}
	}
	binary.LittleEndian.PutUint32(dst, uint32(acc))
}

// decodeHybrid fills dst from the hybrid encoding and wants all of src to be
// used up.
func decodeHybrid(dst []uint32, src []byte, width uint) error {
	for len(dst) > 0 {
		h, k := binary.Uvarint(src)
		if k <= 0 || h>>1 == 0 {
			return errRuns
		}
		src = src[k:]
		if h&1 == 0 {
			n := (width + 7) / 8
			if h>>1 > uint64(len(dst)) || uint(len(src)) < n {
				return errRuns
			}
			var v uint32
			for i := range n {
				v |= uint32(src[i]) << (8 * i)
			}
			if bits.Len32(v) > int(width) {
				return errRuns
			}
			run := dst[:h>>1]
			for i := range run {
				run[i] = v
			}
			dst, src = dst[len(run):], src[n:]
			continue
		}
		groups := h >> 1
		if groups > uint64(len(dst)+7)/8 || groups*uint64(width) > uint64(len(src)) {
			return errRuns
		}
		n := min(int(groups)*8, len(dst))
		unpack(dst[:n], src[:groups*uint64(width)], width)
		dst, src = dst[n:], src[groups*uint64(width):]
	}
	if len(src) != 0 {
		return errRuns
	}
	return nil
}

// unpack reads values of width bits; src holds them, padded to whole groups.
func unpack(dst []uint32, src []byte, width uint) {
	mask := uint32(uint64(1)<<width - 1)
	i := 0
	if width <= 8 {
		w := width & 63
		for ; i+8 <= len(dst) && len(src) >= 8; i += 8 {
			x := binary.LittleEndian.Uint64(src)
			d := (*[8]uint32)(dst[i:])
			d[0] = uint32(x) & mask
			d[1] = uint32(x>>w) & mask
			d[2] = uint32(x>>(2*w)) & mask
			d[3] = uint32(x>>(3*w)) & mask
			d[4] = uint32(x>>(4*w)) & mask
			d[5] = uint32(x>>(5*w)) & mask
			d[6] = uint32(x>>(6*w)) & mask
			d[7] = uint32(x>>(7*w)) & mask
			src = src[width:]
		}
	}
	var acc uint64
	var n uint
	for ; i < len(dst); i++ {
		for n < width {
			if len(src) >= 4 && n <= 32 {
				acc |= uint64(binary.LittleEndian.Uint32(src)) << n
				src, n = src[4:], n+32
			} else {
				acc |= uint64(src[0]) << n
				src, n = src[1:], n+8
			}
		}
		dst[i] = uint32(acc) & mask
		acc >>= width
		n -= width
	}
}

// grow extends b by n bytes of undefined content.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		c := make([]byte, len(b), 2*cap(b)+n)
		copy(c, b)
		b = c
	}
	return b[:len(b)+n]
}
