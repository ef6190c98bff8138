package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"reconcile/internal/column"
)

// texts is the values of a bytes column of one row group: the codes in use,
// numbered densely in order of their first row. Its memory is kept from one
// row group to the next; stamps make clearing it unnecessary.
type texts struct {
	dict   *column.Dict
	signed bool // values are two's complement, not text

	epoch  uint32
	stamp  []uint64 // of a code: epoch << 32 | id
	used   []uint32 // of an id: its code
	ids    []uint32 // of a non-null row: its id
	keys   []uint64 // of an id: the first bytes behind the common prefix, in sort order
	table  []uint32 // of drop: ids by hash
	to     []uint32 // of drop: the id that replaces one
	codes  []uint32 // of the values of a page
	occurs []bool   // of distinct: the ids that occur
	found  []uint32 // of distinct: its result

	dictBytes int // of the distinct values
	bytes     int // of the values of all rows; not counted when few are distinct
}

// load numbers the values of c. Duplicates of the dictionary get one number if
// the dictionary seems to have many.
func (t *texts) load(c *column.Column) error {
	t.dict = c.Dict
	t.signed = c.Type.ID == column.Decimal
	if err := t.number(c); err != nil {
		return err
	}
	if t.duplicates() {
		t.drop()
	}
	return t.measure(c)
}

func (t *texts) number(c *column.Column) error {
	n := 1
	if c.Dict != nil {
		n = c.Dict.Len()
	}
	if len(t.stamp) < n {
		t.stamp, t.epoch = column.Zeros[uint64](n+n/4), 0
	}
	if t.epoch++; t.epoch == 0 {
		clear(t.stamp)
		t.epoch = 1
	}
	t.used = t.used[:0]
	ids := grow32(t.ids[:0], len(c.Codes)+1)
	stamp, epoch, k := t.stamp[:n], t.epoch, uint32(0)
	stamp[0] = uint64(epoch) << 32
	for _, code := range c.Codes {
		if int(code) >= len(stamp) {
			return fmt.Errorf("code %d is not in the dictionary", code)
		}
		s := stamp[code]
		if uint32(s>>32) != epoch {
			s = uint64(epoch)<<32 | uint64(len(t.used))
			stamp[code] = s
			t.used = append(t.used, code)
		}
		ids[k] = uint32(s)
		k += nonZero(code)
	}
	t.ids = ids[:k]
	return nil
}

const (
	uniqueSize = 6144 // a smaller dictionary has no duplicates, see column.Dict
	dupSample  = 1024
	dupHits    = 8
)

// duplicates judges by a sample whether many values in use are equal.
func (t *texts) duplicates() bool {
	if len(t.used) < uniqueSize {
		return len(t.used) > 0 && t.dict.Len() > uniqueSize
	}
	var seen [4 * dupSample]uint32
	hits, step := 0, len(t.used)/dupSample
	for i := range dupSample {
		h := t.dict.Hash(t.used[i*step]) | 1
		at := h >> 1 % (4 * dupSample)
		for seen[at] != 0 && seen[at] != h {
			at = (at + 1) % (4 * dupSample)
		}
		if seen[at] == h {
			hits++
		}
		seen[at] = h
	}
	return hits >= dupHits
}

// drop gives equal values one number.
func (t *texts) drop() {
	size := uint32(1) << bits.Len(uint(2*len(t.used)))
	t.table = grow32(t.table[:0], int(size))
	clear(t.table)
	t.to = grow32(t.to[:0], len(t.used))
	kept := uint32(0)
	for id, code := range t.used {
		h, v := t.dict.Hash(code), t.dict.Value(code)
		at := h & (size - 1)
		for {
			o := t.table[at]
			if o == 0 {
				t.table[at] = kept + 1
				t.used[kept], t.to[id] = code, kept
				kept++
				break
			}
			if other := t.used[o-1]; t.dict.Hash(other) == h && bytes.Equal(t.dict.Value(other), v) {
				t.to[id] = o - 1
				break
			}
			at = (at + 1) & (size - 1)
		}
	}
	if int(kept) == len(t.used) {
		return
	}
	t.used = t.used[:kept]
	for i, id := range t.ids {
		t.ids[i] = t.to[id]
	}
}

// measure checks the values, sums their sizes and prepares comparing them.
func (t *texts) measure(c *column.Column) error {
	prefix := t.commonPrefix()
	if cap(t.keys) < len(t.used) {
		t.keys = make([]uint64, len(t.used), len(t.used)+len(t.used)/4)
	}
	t.keys = t.keys[:len(t.used)]
	t.dictBytes = 0
	for id, code := range t.used {
		v := t.dict.Value(code)
		if t.signed && len(v) != decimalBytes {
			return fmt.Errorf("a value of type %s has %d bytes, not %d", c.Type, len(v), decimalBytes)
		}
		if len(v) > maxValueBytes {
			return fmt.Errorf("a value of %d bytes is too large", len(v))
		}
		t.dictBytes += len(v)
		t.keys[id] = sortKey(v[prefix:])
		if t.signed {
			t.keys[id] ^= 1 << 63
		}
	}
	t.bytes = t.dictBytes
	if t.few() || len(t.used) == len(t.ids) {
		return nil
	}
	t.bytes = 0
	for _, id := range t.ids {
		t.bytes += len(t.dict.Value(t.used[id]))
	}
	return nil
}

// few reports whether so few values are distinct that indexes always take less
// than lengths alone would.
func (t *texts) few() bool { return len(t.used) <= len(t.ids)/8 && t.dictBytes <= maxDictBytes }

// sortKey returns the first eight bytes of v so that they compare as numbers.
func sortKey(v []byte) uint64 {
	if len(v) >= 8 {
		return binary.BigEndian.Uint64(v)
	}
	var k uint64
	for i, b := range v {
		k |= uint64(b) << (56 - 8*i)
	}
	return k
}

func (t *texts) commonPrefix() int {
	if t.signed || len(t.used) == 0 {
		return 0
	}
	first := t.dict.Value(t.used[0])
	for _, code := range t.used[1:] {
		v := t.dict.Value(code)
		if len(v) < len(first) {
			first = first[:len(v)]
		}
		if !bytes.Equal(v[:len(first)], first) {
			n := 0
			for v[n] == first[n] {
				n++
			}
			first = first[:n]
		}
		if len(first) == 0 {
			break
		}
	}
	return len(first)
}

// value returns the value of an id.
func (t *texts) value(id uint32) []byte { return t.dict.Value(t.used[id]) }

// less compares two values whose keys are equal.
func (t *texts) less(a, b uint32) bool { return a != b && bytes.Compare(t.value(a), t.value(b)) < 0 }

// bounds returns the ids of the least and the greatest of at least one value.
func (t *texts) bounds(ids []uint32) (least, most uint32) {
	if len(t.used) <= len(ids)/2 {
		ids = t.distinct(ids)
	}
	least, most = ids[0], ids[0]
	lk, mk := t.keys[least], t.keys[most]
	for _, id := range ids {
		k := t.keys[id]
		if k <= lk && (k < lk || t.less(id, least)) {
			least, lk = id, k
		}
		if k >= mk && (k > mk || t.less(most, id)) {
			most, mk = id, k
		}
	}
	return least, most
}

// distinct returns the ids that occur, each once.
func (t *texts) distinct(ids []uint32) []uint32 {
	t.occurs = roomOf(t.occurs, len(t.used))
	clear(t.occurs)
	for _, id := range ids {
		t.occurs[id] = true
	}
	t.found = t.found[:0]
	for id, there := range t.occurs {
		if there {
			t.found = append(t.found, uint32(id))
		}
	}
	return t.found
}

// width returns the bits of an index into the dictionary page; one at least,
// as some readers do not expect none.
func (t *texts) width() uint { return indexWidth(len(t.used)) }

func indexWidth(n int) uint { return max(uint(bits.Len(uint(max(n, 1)-1))), 1) }

// pays reports whether a dictionary page and indexes are smaller than the
// values themselves.
func (t *texts) pays() bool {
	head := 4
	if t.signed {
		head = 0
	}
	dict := t.dictBytes + head*len(t.used)
	plain := t.bytes + head*len(t.ids)
	return t.few() && len(t.used) > 0 || len(t.used) < len(t.ids) && dict <= maxDictBytes && dict+len(t.ids)*int(t.width())/8 < plain
}

// appendIDs appends the values of ids in the PLAIN encoding.
func (t *texts) appendIDs(dst []byte, ids []uint32) []byte {
	t.codes = grow32(t.codes[:0], len(ids))
	for i, id := range ids {
		t.codes[i] = t.used[id]
	}
	return t.appendPlain(dst, t.codes)
}

// appendPlain appends the values of codes in the PLAIN encoding, those that stand
// together in the dictionary at once.
func (t *texts) appendPlain(dst []byte, codes []uint32) []byte {
	if t.signed { // all of one width
		for _, code := range codes {
			dst = append(dst, t.dict.Value(code)...)
		}
		return dst
	}
	for len(codes) > 0 {
		n := 1
		for n < len(codes) && codes[n] == codes[0]+uint32(n) {
			n++
		}
		dst = append(dst, t.dict.Plain(codes[0], codes[0]+uint32(n))...)
		codes = codes[n:]
	}
	return dst
}

// grow32 is grow for numbers.
func grow32(b []uint32, n int) []uint32 {
	if cap(b)-len(b) < n {
		c := make([]uint32, len(b), len(b)+n+n/4)
		copy(c, b)
		b = c
	}
	return b[:len(b)+n]
}
