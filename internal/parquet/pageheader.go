package parquet

import (
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// decodePageHeader is decodeThrift for the header of a page, without the statistics of
// a data page. There are many of them and most are as a Writer puts them: these are
// read by hand.
func decodePageHeader(b []byte, h *format.PageHeader) (int, error) {
	w := thriftWalk{b: b}
	if w.pageHeader(h) {
		return w.at, nil
	}
	*h = format.PageHeader{}
	return decodeThrift(b, h)
}

// pageHeader reports whether the header is one of those that it can read.
func (w *thriftWalk) pageHeader(h *format.PageHeader) bool {
	var kind, raw, size, crc int32
	seen, ok := w.fields([]*int32{&kind, &raw, &size, &crc}, func(id int, t thrift.Type) bool {
		switch {
		case id == 5 && t == thrift.STRUCT:
			h.DataPageHeader.Valid = true
			return w.dataPageHeader(&h.DataPageHeader.V)
		case id == 7 && t == thrift.STRUCT:
			h.DictionaryPageHeader.Valid = true
			return w.dictionaryPageHeader(&h.DictionaryPageHeader.V)
		}
		return false
	})
	h.Type, h.UncompressedPageSize, h.CompressedPageSize, h.CRC = format.PageType(kind), raw, size, crc
	return ok && seen&0b111 == 0b111
}

func (w *thriftWalk) dataPageHeader(d *format.DataPageHeader) bool {
	var enc, def, rep int32
	seen, ok := w.fields([]*int32{&d.NumValues, &enc, &def, &rep}, func(id int, t thrift.Type) bool {
		return id == 5 && t == thrift.STRUCT && w.structure(2) == nil
	})
	d.Encoding, d.DefinitionLevelEncoding, d.RepetitionLevelEncoding = format.Encoding(enc), format.Encoding(def), format.Encoding(rep)
	return ok && seen == 0b1111
}

func (w *thriftWalk) dictionaryPageHeader(d *format.DictionaryPageHeader) bool {
	var enc int32
	seen, ok := w.fields([]*int32{&d.NumValues, &enc}, func(id int, t thrift.Type) bool {
		d.IsSorted = t == thrift.TRUE
		return id == 3 && (t == thrift.TRUE || t == thrift.FALSE)
	})
	d.Encoding = format.Encoding(enc)
	return ok && seen == 0b11
}

// fields reads the fields of a structure, of which the first are 32-bit numbers. The
// others are left to other. It returns which of the numbers there were.
func (w *thriftWalk) fields(numbers []*int32, other func(id int, t thrift.Type) bool) (seen uint, ok bool) {
	for id := 0; w.at < len(w.b); {
		head := w.b[w.at]
		w.at++
		if head == 0 {
			return seen, true
		}
		if head>>4 == 0 { // the field id follows
			return 0, false
		}
		id += int(head >> 4)
		if t := thrift.Type(head & 15); id > len(numbers) || t != thrift.I32 {
			if !other(id, t) {
				return 0, false
			}
			continue
		}
		n, err := w.uvarint()
		if err != nil || n > math.MaxUint32 {
			return 0, false
		}
		*numbers[id-1] = int32(n>>1) ^ -int32(n&1)
		seen |= 1 << (id - 1)
	}
	return 0, false
}
