package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

var (
	errPlain = errors.New("damaged plain values")
	errIndex = errors.New("an index beyond the dictionary")
)

// oldDictionary is what earlier writers of the format put for RLEDictionary,
// and for Plain in dictionary pages.
const oldDictionary = format.Encoding(2)

// dictPage takes the entries of a dictionary page.
func (d *columnReader) dictPage(h *format.DictionaryPageHeader, page []byte) error {
	if h.Encoding != format.Plain && h.Encoding != oldDictionary || h.NumValues < 0 {
		return errHeader
	}
	d.hasDict, d.entries = true, int(h.NumValues)
	if d.entries > len(page)/4 { // no entry is shorter
		return errPlain
	}
	if d.c.Type.Kind() == column.KindBytes {
		if d.r.codes = roomOf(d.r.codes, d.entries); d.some {
			return d.splitDict(page)
		}
		return d.addTexts(d.r.codes, page)
	}
	d.r.nums = roomOf(d.r.nums, d.entries)
	return plainNumbers(d.r.nums, page, d.m.Type)
}

// addTexts adds plain values to the dictionary of the column, one for each of
// codes, and wants all of src to be used up.
func (d *columnReader) addTexts(codes []uint32, src []byte) error {
	dict := d.c.Dict
	if uint64(dict.Size())+uint64(len(src))+4*uint64(len(codes)) > math.MaxUint32 {
		return fmt.Errorf("more than %d bytes of text in one row group", uint32(math.MaxUint32))
	}
	dict.Reserve(min(len(codes), len(src)/4), len(src))
	valid := ascii(src) // the lengths of texts are, too, but for long ones
	if d.m.Type != format.FixedLenByteArray {
		if first, ok := dict.AddPlain(src, len(codes), valid); ok {
			for i := range codes {
				codes[i] = first + uint32(i)
			}
			return nil
		}
	}
	add := dict.Add
	if valid {
		add = dict.AddValid
	}
	for i := range codes {
		v, rest, err := d.cutText(src)
		if err != nil {
			return err
		}
		codes[i], src = add(v), rest
	}
	if len(src) != 0 {
		return errPlain
	}
	return nil
}

// ascii reports whether all bytes are below 0x80.
func ascii(b []byte) bool {
	all := uint64(0)
	for ; len(b) >= 8; b = b[8:] {
		all |= binary.LittleEndian.Uint64(b)
	}
	for _, c := range b {
		all |= uint64(c)
	}
	return all&0x8080808080808080 == 0
}

// texts decodes a page into codes; null is nil when all rows have values.
func (d *columnReader) texts(codes []uint32, null []bool, present int, enc format.Encoding, page []byte) error {
	var vals []uint32
	switch enc {
	case format.Plain:
		if present > len(page)/4 {
			return errPlain
		}
		d.r.ids = roomOf(d.r.ids, present)
		vals = d.r.ids
		if d.done == 0 && len(codes) < d.rows { // the other pages will be about like this one
			share := (d.rows + len(codes) - 1) / len(codes)
			d.c.Dict.Reserve(present*share, len(page)*share)
		}
		if err := d.addTexts(vals, page); err != nil {
			return err
		}
	case format.RLEDictionary, oldDictionary:
		var err error
		if vals, err = d.indexes(page, present); err != nil {
			return err
		}
		byID := d.r.codes[:d.entries]
		for i, id := range vals {
			if int(id) >= len(byID) {
				return errIndex
			}
			vals[i] = byID[id]
		}
	default:
		return fmt.Errorf("encoding %s is not supported", enc)
	}
	if null == nil {
		copy(codes, vals)
		return nil
	}
	spread(codes, vals, null)
	return nil
}

// spread puts vals into the places of dst that are not null, zero elsewhere.
func spread[T any](dst, vals []T, null []bool) {
	k := 0
	var zero T
	for i, isNull := range null {
		if isNull {
			dst[i] = zero
			continue
		}
		dst[i] = vals[k]
		k++
	}
}

// numbers decodes a page of n rows.
func (d *columnReader) numbers(n int, null []bool, present int, enc format.Encoding, page []byte) error {
	c := d.c
	d.markNulls(n, null)
	ints := c.Type.Kind() == column.KindInt64
	var vals []int64
	if ints && null == nil {
		vals = c.Ints[d.out : d.out+n]
	} else {
		d.r.vals = roomOf(d.r.vals, present)
		vals = d.r.vals
	}
	if err := d.values(vals, enc, page); err != nil {
		return err
	}
	switch {
	case !ints:
		spreadFloats(c.Floats[d.out:d.out+n], vals, null)
	case null != nil:
		spread(c.Ints[d.out:d.out+n], vals, null)
	}
	return nil
}

func spreadFloats(dst []float64, vals []int64, null []bool) {
	if null == nil {
		for i, v := range vals {
			dst[i] = math.Float64frombits(uint64(v))
		}
		return
	}
	k := 0
	for i, isNull := range null {
		dst[i] = 0
		if !isNull {
			dst[i] = math.Float64frombits(uint64(vals[k]))
			k++
		}
	}
}

// markNulls enters the null marks of the next n rows.
func (d *columnReader) markNulls(n int, null []bool) {
	c := d.c
	if null == nil && c.Null == nil {
		return
	}
	if c.Null == nil {
		if cap(d.spare) < d.want {
			d.spare = make([]bool, 0, d.want)
		}
		c.Null = d.spare[:d.out]
		clear(c.Null)
	}
	if null != nil {
		c.Null = append(c.Null, null...)
		return
	}
	c.Null = c.Null[:d.out+n]
	clear(c.Null[d.out:])
}

// values decodes numbers, doubles as their bits.
func (d *columnReader) values(vals []int64, enc format.Encoding, page []byte) error {
	switch {
	case enc == format.Plain && d.m.Type == format.Boolean:
		return booleans(vals, page)
	case enc == format.Plain:
		return plainNumbers(vals, page, d.m.Type)
	case enc == format.DeltaBinaryPacked && d.m.Type != format.Double && d.m.Type != format.Boolean:
		return decodeDelta(vals, page, d.m.Type == format.Int32)
	case enc == format.RLEDictionary || enc == oldDictionary:
		ids, err := d.indexes(page, len(vals))
		if err != nil {
			return err
		}
		byID := d.r.nums[:d.entries]
		for i, id := range ids {
			if int(id) >= len(byID) {
				return errIndex
			}
			vals[i] = byID[id]
		}
		return nil
	}
	return fmt.Errorf("encoding %s of %s is not supported", enc, d.m.Type)
}

func booleans(vals []int64, src []byte) error {
	if len(src) != (len(vals)+7)/8 {
		return errPlain
	}
	for i := range vals {
		vals[i] = int64(src[i>>3] >> (i & 7) & 1)
	}
	return nil
}

// plainNumbers decodes PLAIN values of 32 or 64 bits.
func plainNumbers(vals []int64, src []byte, t format.Type) error {
	if t == format.Int32 {
		if len(src) != 4*len(vals) {
			return errPlain
		}
		for i := range vals {
			vals[i] = int64(int32(binary.LittleEndian.Uint32(src[4*i:])))
		}
		return nil
	}
	if t == format.Boolean || len(src) != 8*len(vals) {
		return errPlain
	}
	for i := range vals {
		vals[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return nil
}
