package avro

import (
	"encoding/binary"
	"math/bits"

	"reconcile/internal/column"
)

// RecordCodec is how the records of one header are kept until they are written, in
// about a third of their size: of fields of text, a text that comes often is kept
// once, and its number in each record. Fields that nobody wants are left out. An
// encoded record is
//
//	bits   one for each field of text, set if it is not null, in pairs of bytes
//	codes  two bytes for each set bit: the number of the text, or asIs
//	rest   all other fields, and the texts that are asIs, as Avro has them
//
// and means nothing without its codec. Any number of goroutines may use one.
type RecordCodec struct {
	head   *Header
	steps  []codecStep
	texts  int            // fields with a bit
	bit    []int          // by field; -1 of those that have none
	kept   []bool         // by field
	tables []*internTable // by bit
}

// codecStep is a field with a bit, or a run of fields that have none.
type codecStep struct {
	from, to int // fields
	bit      int // -1 without
	keep     bool
}

// NewRecordCodec returns a codec of the fields for which keep is true. What it takes
// for texts comes out of pool.
func (h *Header) NewRecordCodec(keep []bool, pool *Pool) *RecordCodec {
	p := &RecordCodec{head: h, bit: make([]int, len(h.proto)), kept: append([]bool(nil), keep...)}
	for f := range h.proto {
		p.bit[f] = -1
		if keep[f] && h.proto[f].code == opBytes {
			p.bit[f] = p.texts
			p.texts++
			p.tables = append(p.tables, newInternTable(pool))
		}
		last := len(p.steps) - 1
		if last >= 0 && p.bit[f] < 0 && p.steps[last].bit < 0 && p.steps[last].keep == keep[f] {
			p.steps[last].to++
			continue
		}
		p.steps = append(p.steps, codecStep{f, f + 1, p.bit[f], keep[f]})
	}
	return p
}

// bitBytes is the size of a record's bits: two bytes can be read of any record with
// texts, wherever its next code would be.
func (p *RecordCodec) bitBytes() int { return (p.texts + 15) / 16 * 2 }

// rest returns where the rest of an encoded record begins.
func (p *RecordCodec) rest(record []byte) int {
	n := p.bitBytes()
	at, set := 0, 0
	for ; at+8 <= n; at += 8 {
		set += bits.OnesCount64(binary.LittleEndian.Uint64(record[at:]))
	}
	for ; at < n; at++ {
		set += bits.OnesCount8(record[at])
	}
	return n + 2*set
}

// Encode is Next, and encodes the records too. Both are the Decoder's until its next
// call.
func (d *Decoder) Encode(dst []*column.Column, p *RecordCodec) (delivered, encoded Records, err error) {
	if delivered, err = d.Next(dst); err != nil {
		return Records{}, Records{}, err
	}
	if d.encoder == nil || d.encoder.codec != p {
		d.encoder = newRecordEncoder(p)
	}
	k := d.encoder
	k.out = Records{Data: k.out.Data[:0], Ends: k.out.Ends[:0]}
	n := len(delivered.Ends)
	for from := 0; from < n; from += batchRecords {
		if err := k.encode(delivered, from, min(from+batchRecords, n)); err != nil {
			return Records{}, Records{}, d.damaged("its records cannot be encoded", err)
		}
	}
	return delivered, k.out, nil
}
