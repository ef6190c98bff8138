package avro

import (
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

// DecodeRecords is Decode for records that Locate found, in any choice and
// order. What Locate decoded or skipped without an error is decoded without one
// here.
func (d *Decoder) DecodeRecords(records [][]byte, dst []*column.Column) error {
	if err := d.bind(len(records), dst); err != nil {
		return err
	}
	defer func() {
		clear(d.ops)
		d.batch.records = nil
	}()
	for from := 0; from < len(records); from += batchRecords {
		d.batch.records, d.batch.from = records[from:min(from+batchRecords, len(records))], from
		row, field, err := d.fields()
		if err != nil {
			return fmt.Errorf("decoding Avro record %d of %d, field %q: %w", from+row, len(records), d.head.fields[field].Name, err)
		}
	}
	return nil
}

// batchRecords is how many records are decoded together: few enough that they
// stay in the cache from one field to the next.
const batchRecords = 64

// batch is a run of records that is decoded field by field rather than record by
// record: what a field needs stays at hand, and where a record's next field
// begins need not be known before that of the next record is looked for.
type batch struct {
	records [][]byte
	touched byte              // keeps the reads that bring records into the cache
	from    int               // row of the first
	pos     [batchRecords]int // of the next field of each
	budget  [batchRecords]int // of each
}

const cacheLine = 64

// fields decodes all fields of the batch. On an error it returns the place too.
func (d *Decoder) fields() (row, field int, err error) {
	b := &d.batch
	for i, buf := range b.records {
		b.pos[i], b.budget[i] = 0, d.budget
		for at := 0; at < len(buf); at += cacheLine {
			b.touched += buf[at]
		}
	}
	d.r.entries = d.r.entries[:0]
	for field = range d.ops {
		o := &d.ops[field]
		if o.code == opBytes {
			row, err = d.batchText(o)
		} else {
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

// batchText decodes a field of text in all records of the batch.
func (d *Decoder) batchText(o *op) (row int, err error) {
	b := &d.batch
	codes, dict := o.codes[b.from:], o.dict
	var last []byte // the text of the last row that has one, which is often that of the next
	code := uint32(0)
	for i, buf := range b.records {
		pos := b.pos[i]
		if o.union && pos < len(buf) {
			if uint16(buf[pos]) == o.null {
				b.pos[i] = pos + 1
				continue
			}
			if uint16(buf[pos]) != o.some {
				pos = len(buf)
			}
			pos++
		}
		if pos >= len(buf) || buf[pos]&0x81 != 0 || int(buf[pos]>>1) >= len(buf)-pos {
			if err := d.batchValue(o, i); err != nil {
				return i, err
			}
			continue
		}
		end := pos + 1 + int(buf[pos]>>1)
		b.pos[i] = end
		if v := buf[pos+1 : end]; code == 0 || string(v) != string(last) {
			last, code = v, dict.Add(v)
		}
		codes[i] = code
	}
	return 0, nil
}

// batchValues decodes any field in all records of the batch.
func (d *Decoder) batchValues(o *op) (row int, err error) {
	for i := range d.batch.records {
		if err := d.batchValue(o, i); err != nil {
			return i, err
		}
	}
	return 0, nil
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
