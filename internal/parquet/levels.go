package parquet

import (
	"encoding/binary"
	"math/bits"
)

// nullBits packs the presence of the rows of a page, one bit a row, set when
// the row has a value. It returns the bits and the number of rows with values.
func nullBits(dst []byte, null []bool) ([]byte, int) {
	present := 0
	for len(null) >= 8 {
		b := ^pack8Bools((*[8]bool)(null))
		present += bits.OnesCount8(b)
		dst, null = append(dst, b), null[8:]
	}
	if len(null) > 0 {
		var b byte
		for i, isNull := range null {
			b |= (1 ^ byte(bit(isNull))) << i
		}
		present += bits.OnesCount8(b)
		dst = append(dst, b)
	}
	return dst, present
}

func pack8Bools(b *[8]bool) byte {
	return byte(bit(b[0]) | bit(b[1])<<1 | bit(b[2])<<2 | bit(b[3])<<3 |
		bit(b[4])<<4 | bit(b[5])<<5 | bit(b[6])<<6 | bit(b[7])<<7)
}

// codeBits is nullBits for dictionary codes, of which 0 is null.
func codeBits(dst []byte, codes []uint32) ([]byte, int) {
	present := 0
	for len(codes) >= 8 {
		c := (*[8]uint32)(codes)
		b := byte(nonZero(c[0]) | nonZero(c[1])<<1 | nonZero(c[2])<<2 | nonZero(c[3])<<3 |
			nonZero(c[4])<<4 | nonZero(c[5])<<5 | nonZero(c[6])<<6 | nonZero(c[7])<<7)
		present += bits.OnesCount8(b)
		dst, codes = append(dst, b), codes[8:]
	}
	if len(codes) > 0 {
		var b byte
		for i, c := range codes {
			b |= byte(nonZero(c)) << i
		}
		present += bits.OnesCount8(b)
		dst = append(dst, b)
	}
	return dst, present
}

func nonZero(c uint32) uint32 { return (c | -c) >> 31 }

func bit(b bool) (i uint32) {
	if b {
		i = 1
	}
	return i
}

// appendLevels appends the definition levels of a page of n rows, of which
// present have values, with the length in front that data pages v1 want. bits
// is not looked at when all or none have values.
func appendLevels(dst, bits []byte, n, present int) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch present {
	case n:
		dst = append(binary.AppendUvarint(dst, uint64(n)<<1), 1)
	case 0:
		dst = append(binary.AppendUvarint(dst, uint64(n)<<1), 0)
	default:
		dst = appendBitRuns(dst, bits, n)
	}
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// minBitRun is the number of equal bytes from which a run is shorter.
const minBitRun = 6

func appendBitRuns(dst, bits []byte, n int) []byte {
	full := n / 8
	lit, i := 0, 0
	for i < full {
		b := bits[i]
		if b != 0 && b != 0xff {
			i++
			continue
		}
		j := i + 1
		for j < full && bits[j] == b {
			j++
		}
		if j-i >= minBitRun {
			dst = appendBitLiteral(dst, bits[lit:i])
			dst = append(binary.AppendUvarint(dst, uint64(j-i)*8<<1), b&1)
			lit = j
		}
		i = j
	}
	return appendBitLiteral(dst, bits[lit:])
}

func appendBitLiteral(dst, bits []byte) []byte {
	if len(bits) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(bits))<<1|1)
	return append(dst, bits...)
}

// decodeLevels splits the definition levels off a data page of n rows. It
// returns the rest of the page and the number of rows that have values; null
// is filled (true = null) unless all of them have, len(null) being n.
func decodeLevels(page []byte, null []bool) (rest []byte, present int, err error) {
	n := len(null)
	if len(page) < 4 {
		return nil, 0, errRuns
	}
	size := binary.LittleEndian.Uint32(page)
	page = page[4:]
	if uint64(size) > uint64(len(page)) {
		return nil, 0, errRuns
	}
	src, rest := page[:size], page[size:]
	if h, k := binary.Uvarint(src); k > 0 && h == uint64(n)<<1 && k+1 == len(src) && src[k] == 1 {
		return rest, n, nil
	}
	done := 0
	for done < n {
		h, k := binary.Uvarint(src)
		if k <= 0 || h>>1 == 0 {
			return nil, 0, errRuns
		}
		src = src[k:]
		var got, have int
		if h&1 == 0 {
			got, have, err = levelRun(null[done:], src, h>>1)
			k = 1
		} else {
			got, have, err = levelLiteral(null[done:], src, h>>1)
			k = int(h >> 1)
		}
		if err != nil {
			return nil, 0, err
		}
		done, present, src = done+got, present+have, src[k:]
	}
	if len(src) != 0 {
		return nil, 0, errRuns
	}
	return rest, present, nil
}

func levelRun(null []bool, src []byte, count uint64) (got, have int, err error) {
	if count > uint64(len(null)) || len(src) < 1 || src[0] > 1 {
		return 0, 0, errRuns
	}
	isNull := src[0] == 0
	for i := range null[:count] {
		null[i] = isNull
	}
	if isNull {
		return int(count), 0, nil
	}
	return int(count), int(count), nil
}

func levelLiteral(null []bool, src []byte, groups uint64) (got, have int, err error) {
	if groups > uint64(len(src)) || groups > uint64(len(null)+7)/8 {
		return 0, 0, errRuns
	}
	got = min(int(groups)*8, len(null))
	for i := range null[:got] {
		b := src[i>>3] >> (i & 7) & 1
		null[i] = b == 0
		have += int(b)
	}
	return got, have, nil
}
