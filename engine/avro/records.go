package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"reconcile/internal/column"
)

// Records are records of a block in their binary form, one behind the
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

// DecodeRecord is DecodeRecords for one record.
func (d *Decoder) DecodeRecord(record []byte, dst []*column.Column) error {
	return d.DecodeRecords(record, 1, dst)
}

// DecodeRecords appends n records that Next found, in any choice and order, one behind the
// other, to the columns of dst, as Next does.
func (d *Decoder) DecodeRecords(data []byte, n int, dst []*column.Column) error {
	if err := d.bind(n, dst); err != nil {
		return err
	}
	row, field, err := d.decodeRecords(data, n, math.MaxInt)
	if err != nil {
		return fmt.Errorf("decoding Avro record %d of %d, field %q: %w", row, n, d.head.fields[field].Name, err)
	}
	return nil
}

// DecodeEncoded is DecodeRecords for records that Encode encoded, in any choice and order;
// those of any Decoder with the same RecordCodec. What was decoded or skipped without
// an error when they were encoded is decoded without one here.
func (d *Decoder) DecodeEncoded(records [][]byte, p *RecordCodec, dst []*column.Column) error {
	for f := range dst {
		if dst[f] != nil && !p.kept[f] {
			return fmt.Errorf("decoding Avro: field %q was not encoded", d.head.fields[f].Name)
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

// batchRecords is how many records are encoded or decoded together: few enough that
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
	number  [batchRecords]uint16
	codes   []codes // by bit
}

// codes are what the numbers of an intern table have become in the dictionary of a column.
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

func (b *batch) prepare(p *RecordCodec) {
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
func (d *Decoder) fields(p *RecordCodec) (row, field int, err error) {
	b := &d.batch
	for i, buf := range b.records {
		for at := 0; at < len(buf); at += cacheLine {
			b.touched += buf[at]
		}
		if len(buf) < p.bitBytes() {
			return i, 0, errLength
		}
		if b.code[i], b.pos[i] = p.bitBytes(), p.rest(buf); b.pos[i] > len(buf) {
			return i, 0, errLength
		}
	}
	d.r.entries = d.r.entries[:0]
	for field = range d.ops {
		o := &d.ops[field]
		switch {
		case p.bit[field] >= 0:
			row, err = d.batchTexts(o, p.bit[field], p.tables[p.bit[field]])
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
func (d *Decoder) batchTexts(o *op, bit int, table *internTable) (row int, err error) {
	numbers := d.batch.readNumbers(bit)
	if o.code != opBytes {
		return d.passTexts(o, numbers)
	}
	c := &d.batch.codes[bit]
	out := o.codes[d.batch.from:]
	if changes, ok := c.translate(out, numbers); ok && o.dict.Again(changes) {
		return 0, nil
	}
	return d.decodeTexts(o, c, numbers, out, table)
}

// readNumbers reads the numbers of a field of text, 0 where it is null. Nothing branches by
// what cannot be predicted.
func (b *batch) readNumbers(bit int) []uint16 {
	at, shift := bit>>3, bit&7
	for i, buf := range b.records {
		set := int(buf[at]>>shift) & 1
		pos := min(b.code[i], len(buf)-2) // of a null at the end of its record
		b.number[i] = binary.LittleEndian.Uint16(buf[pos:]) & -uint16(set)
		b.code[i] += 2 * set
	}
	return b.number[:len(b.records)]
}

// passTexts passes over the texts that are asIs.
func (d *Decoder) passTexts(o *op, numbers []uint16) (row int, err error) {
	for i, n := range numbers {
		if n == asIs {
			if err := d.batchValue(o, i); err != nil {
				return i, err
			}
		}
	}
	return 0, nil
}

// translate writes what numbers have become, if all of them were met before, and
// returns how often one differs from that before it.
func (c *codes) translate(out []uint32, numbers []uint16) (changes int, ok bool) {
	last := uint16(0)
	for i, n := range numbers {
		if int(n) >= len(c.to) {
			return 0, false
		}
		code := c.to[n]
		if code == 0 && n != 0 {
			return 0, false
		}
		out[i] = code
		some := -uint16(nonZero(n))
		changes += int(nonZero((n ^ last) & some))
		last ^= (n ^ last) & some
	}
	return changes, true
}

// nonZero returns 1 unless n is 0.
func nonZero(n uint16) uint32 { return (uint32(n) + math.MaxUint16) >> 16 }

// decodeTexts decodes a field of text whose numbers were read.
func (d *Decoder) decodeTexts(o *op, c *codes, numbers []uint16, out []uint32, table *internTable) (row int, err error) {
	var last []byte // the text of the last row that has one, which is often that of the next
	code, number := uint32(0), uint16(asIs)
	for i, n := range numbers {
		switch {
		case n == 0:
			out[i] = 0
			continue
		case n == asIs:
			v, err := d.asIs(o, i)
			if err != nil {
				return i, err
			}
			if number != asIs {
				last, number = table.text(number), asIs
			}
			if code == 0 || string(v) != string(last) {
				last, code = v, o.dict.Add(v)
			}
		case n == number:
		case number == asIs && code != 0 && string(last) == string(table.text(n)):
			number = n
		default:
			number = n
			if code = c.codeOf(n); code == 0 || !o.dict.Again(1) {
				code = o.dict.Add(table.text(n))
				c.insert(n, code)
			}
		}
		out[i] = code
	}
	return 0, nil
}

// codeOf returns what a number has become, 0 if it was not met yet.
func (c *codes) codeOf(n uint16) uint32 {
	if int(n) >= len(c.to) {
		return 0
	}
	return c.to[n]
}

// insert notes what a number has become.
func (c *codes) insert(n uint16, code uint32) {
	for int(n) >= len(c.to) {
		c.to = append(c.to, make([]uint32, max(64, len(c.to)))...)
	}
	if c.to[n] == 0 {
		c.seen = append(c.seen, n)
	}
	c.to[n] = code
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
		if some, err := d.r.some(o); err != nil || !some {
			return nil, errors.Join(err, errBranch)
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
	d.r.reader = reader{buf: b.records[i], pos: b.pos[i], limit: d.limits.Text}
	var err error
	if o.union {
		err = d.branch(o, b.from+i)
	} else {
		err = d.value(o, b.from+i)
	}
	b.pos[i] = d.r.pos
	return err
}
