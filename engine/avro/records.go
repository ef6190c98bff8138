package avro

import (
	"encoding/binary"
	"fmt"

	"reconcile/internal/column"
)

// Records are the records of a block in their binary form, one behind the
// other: record i ends before Data[Ends[i]].
type Records struct {
	Data []byte
	Ends []uint32
}

// Record returns the bytes of record i.
func (r Records) Record(i int) []byte {
	from, to := r.Bounds(i)
	return r.Data[from:to]
}

// Bounds returns where record i begins and ends in Data.
func (r Records) Bounds(i int) (from, to uint32) {
	if i > 0 {
		from = r.Ends[i-1]
	}
	return from, r.Ends[i]
}

// DecodeRecord is Decode for one record that Locate found.
func (d *Decoder) DecodeRecord(record []byte, dst []*column.Column) error {
	if err := d.bind(1, dst); err != nil {
		return err
	}
	_, field, err := d.run(record, 1)
	if err != nil {
		return fmt.Errorf("decoding an Avro record, field %q: %w", d.head.fields[field].Name, err)
	}
	return nil
}

// DecodePacked is Decode for records that Pack packed, in any choice and order;
// those of any Decoder with the same Packing. What was decoded or skipped without
// an error when they were packed is decoded without one here.
func (d *Decoder) DecodePacked(records [][]byte, p *Packing, dst []*column.Column) error {
	for f := range dst {
		if dst[f] != nil && !p.kept[f] {
			return fmt.Errorf("decoding Avro: field %q was not packed", d.head.fields[f].Name)
		}
	}
	if err := d.bind(len(records), dst); err != nil {
		return err
	}
	b := &d.batch
	defer func() {
		clear(d.ops)
		b.records = nil
		b.forget()
	}()
	b.prepare(p)
	for from := 0; from < len(records); from += batchRecords {
		b.records, b.from = records[from:min(from+batchRecords, len(records))], from
		row, field, err := d.fields(p)
		if err != nil {
			return fmt.Errorf("decoding record %d of %d, field %q: %w", from+row, len(records), d.head.fields[field].Name, err)
		}
	}
	return nil
}

// batchRecords is how many records are packed or decoded together: few enough that
// they stay in the cache from one field to the next.
const batchRecords = 64

// batch is a run of records that is decoded field by field rather than record by
// record: what a field needs stays at hand, and where a record's next field
// begins need not be known before that of the next record is looked for.
type batch struct {
	records [][]byte
	touched byte              // keeps the reads that bring records into the cache
	from    int               // row of the first
	code    [batchRecords]int // where the next code of each is
	pos     [batchRecords]int // where the next field of each is in its rest
	budget  [batchRecords]int // of each
	codes   []codes           // by bit
}

// codes are what the numbers of a book have become in the dictionary of a column.
type codes struct {
	to   []uint32 // by number; 0 of those that were not met yet
	seen []uint16 // numbers that were
}

func (c *codes) forget() {
	for _, n := range c.seen {
		c.to[n] = 0
	}
	c.seen = c.seen[:0]
}

func (b *batch) prepare(p *Packing) {
	for len(b.codes) < p.texts {
		b.codes = append(b.codes, codes{})
	}
}

func (b *batch) forget() {
	for i := range b.codes {
		b.codes[i].forget()
	}
}

const cacheLine = 64

// fields decodes all fields of the batch. On an error it returns the place too.
func (d *Decoder) fields(p *Packing) (row, field int, err error) {
	b := &d.batch
	for i, buf := range b.records {
		for at := 0; at < len(buf); at += cacheLine {
			b.touched += buf[at]
		}
		b.code[i], b.pos[i], b.budget[i] = p.bitBytes(), p.rest(buf), d.budget
	}
	d.r.entries = d.r.entries[:0]
	for field = range d.ops {
		o := &d.ops[field]
		switch {
		case p.bit[field] >= 0:
			row, err = d.batchTexts(o, p.bit[field], p.books[p.bit[field]])
		case p.kept[field]:
			row, err = d.batchValues(o)
		}
		if err != nil {
			return row, field, err
		}
	}
	for i, buf := range b.records {
		if b.pos[i] != len(buf) {
			return i, field, errLength
		}
	}
	return 0, 0, nil
}

// batchTexts decodes a field of text in all records of the batch.
func (d *Decoder) batchTexts(o *op, bit int, book *book) (row int, err error) {
	b := &d.batch
	c := &b.codes[bit]
	to := c.to
	at, shift := bit>>3, bit&7
	wanted := o.code == opBytes
	var out []uint32
	if wanted {
		out = o.codes[b.from:]
	}
	var last []byte // the text of the last row that has one, which is often that of the next
	code, number := uint32(0), uint16(asIs)
	for i, buf := range b.records {
		if buf[at]>>shift&1 == 0 {
			continue
		}
		n := binary.LittleEndian.Uint16(buf[b.code[i]:])
		b.code[i] += 2
		switch {
		case n == asIs:
			if !wanted { // it is passed over
				if err := d.batchValue(o, i); err != nil {
					return i, err
				}
				continue
			}
			v, err := d.asIs(o, i)
			if err != nil {
				return i, err
			}
			if number != asIs {
				last, number = book.shelf.Load().text(number), asIs
			}
			if code == 0 || string(v) != string(last) {
				last, code = v, o.dict.Add(v)
			}
		case !wanted:
			continue
		case n != number || code == 0:
			if number == asIs && code != 0 && string(last) == string(book.shelf.Load().text(n)) {
				number = n
				break
			}
			number = n
			if int(n) < len(to) && to[n] != 0 && o.dict.Again() {
				code = to[n]
				break
			}
			code = o.dict.Add(book.shelf.Load().text(n))
			to = c.enter(n, code)
		}
		out[i] = code
	}
	return 0, nil
}

// enter notes what a number has become.
func (c *codes) enter(n uint16, code uint32) []uint32 {
	for int(n) >= len(c.to) {
		c.to = append(c.to, make([]uint32, max(64, len(c.to)))...)
	}
	if c.to[n] == 0 {
		c.seen = append(c.seen, n)
	}
	c.to[n] = code
	return c.to
}

// asIs returns the text of a field that stands in the rest of a record.
func (d *Decoder) asIs(o *op, i int) ([]byte, error) {
	b := &d.batch
	buf, pos := b.records[i], b.pos[i]
	if o.union && pos < len(buf) && uint16(buf[pos]) == o.some {
		pos++
		if pos < len(buf) && buf[pos]&0x81 == 0 && int(buf[pos]>>1) < len(buf)-pos {
			end := pos + 1 + int(buf[pos]>>1)
			b.pos[i] = end
			return buf[pos+1 : end], nil
		}
	}
	d.r.reader = reader{buf: buf, pos: b.pos[i]}
	if o.union {
		v, err := d.r.int()
		if err != nil {
			return nil, err
		}
		if 2*v != int64(o.some) {
			return nil, errBranch
		}
	}
	v, err := d.r.bytes()
	b.pos[i] = d.r.pos
	return v, err
}

// batchValues decodes any field in all records of the batch.
func (d *Decoder) batchValues(o *op) (row int, err error) {
	for i := range d.batch.records {
		if o.code == opLongNative && d.batchLong(o, i) {
			continue
		}
		if err := d.batchValue(o, i); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// batchLong is batchValue for a number that is not null, if nothing is unusual.
func (d *Decoder) batchLong(o *op, i int) bool {
	b := &d.batch
	buf, pos := b.records[i], b.pos[i]
	if o.union {
		if pos >= len(buf) || uint16(buf[pos]) != o.some {
			return false
		}
		pos++
	}
	var v uint64
	for shift := uint(0); shift < 63 && pos < len(buf); shift += 7 {
		c := buf[pos]
		pos++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			o.ints[b.from+i] = int64(v>>1) ^ -int64(v&1)
			b.pos[i] = pos
			return true
		}
	}
	return false
}

// batchValue decodes a field of one record of the batch.
func (d *Decoder) batchValue(o *op, i int) error {
	b := &d.batch
	d.r.reader = reader{buf: b.records[i], pos: b.pos[i], budget: b.budget[i]}
	var err error
	if o.union {
		err = d.branch(o, b.from+i)
	} else {
		err = d.value(o, b.from+i)
	}
	b.pos[i], b.budget[i] = d.r.pos, d.r.budget
	return err
}
