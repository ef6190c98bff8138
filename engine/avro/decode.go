package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"reconcile/internal/amount"
	"reconcile/internal/column"
)

// maxEmpty bounds the values of a block that take no bytes.
const maxEmpty = 1 << 24

// Decoder decodes blocks of the files that share a header. It is for one
// goroutine; its memory grows to the largest block and is used again.
type Decoder struct {
	head    *Header
	blocks  *decompressor
	ops     []op
	r       renderer
	text    []byte
	limits  Limits
	ends    []uint32 // of the records of the last block
	batch   batch
	encoder *recordEncoder // nil until something is encoded
	// watched is what Watch was given, by field; nil if nothing.
	watched []*[]Origin
}

// NewDecoder returns a decoder of the blocks that belong to h.
func (h *Header) NewDecoder(lim Limits) (*Decoder, error) {
	u, err := newDecompressor(h.codec, lim.Block)
	if err != nil {
		return nil, err
	}
	return &Decoder{head: h, blocks: u, ops: make([]op, len(h.proto)), limits: lim}, nil
}

// Decode appends the b.Count rows of b to the columns of dst, which has one for
// each of the header's fields, or nil for a field to be skipped. A column of
// type String takes the text of any field, Int64 takes Native Long and Double
// takes Native Double. After an error, a DamageError unless dst is wrong, the
// contents of the columns mean nothing.
func (d *Decoder) Decode(b *Block, dst []*column.Column) error {
	_, err := d.Locate(b, dst)
	return err
}

// Locate is Decode, and tells where the records are. They are the Decoder's until
// its next call.
func (d *Decoder) Locate(b *Block, dst []*column.Column) (Records, error) {
	data := b.Data
	// Some codecs cannot represent nothing, and some writers do not try.
	if b.Count > 0 || len(b.Data) > 0 {
		var err error
		if data, err = d.blocks.decompress(b.Data); err != nil {
			return Records{}, damaged(b, d.head.codec, err)
		}
	}
	if err := d.head.plausible(b.Count, len(data)); err != nil {
		return Records{}, damaged(b, "its record count is wrong", err)
	}
	if err := d.bind(b.Count, dst); err != nil {
		return Records{}, err
	}
	row, field, err := d.decodeRecords(data, b.Count)
	if err != nil {
		where := fmt.Sprintf("row %d, field %q, byte %d of the decompressed block", row, d.head.fields[field].Name, d.r.pos)
		return Records{}, damaged(b, where, err)
	}
	if left := d.r.left(); left > 0 {
		return Records{}, damaged(b, fmt.Sprintf("%s %s left behind its %s", amount.Of(left, "byte"), amount.Verb(left, "is", "are"), amount.Of(b.Count, "record")), nil)
	}
	return Records{Data: data, Ends: d.ends}, nil
}

// decodeRecords decodes count records of data into the bound columns. On an error it
// returns the place too.
func (d *Decoder) decodeRecords(data []byte, count int) (row, field int, err error) {
	d.r.reader = reader{buf: data, budget: d.limits.Text, limit: d.limits.Text}
	d.r.entries = d.r.entries[:0]
	d.ends = slices.Grow(d.ends[:0], count)[:count]
	row, field, err = d.rows(count)
	clear(d.ops)
	return row, field, err
}

func damaged(b *Block, reason string, err error) error {
	return &DamageError{Block: b.Index, Offset: b.Offset, Reason: reason, Err: err}
}

// plausible refuses counts that size bytes cannot hold, before anything is
// allocated for them.
func (h *Header) plausible(count, size int) error {
	if w := h.root.width; w > 0 && count > size/w {
		return fmt.Errorf("%s of at least %s each in %s", amount.Of(count, "record"), amount.Of(w, "byte"), amount.Of(size, "byte"))
	}
	if empty := count * max(h.zero, 1); empty > maxEmpty {
		return fmt.Errorf("%s with %s that take no bytes are more than %s", amount.Of(count, "record"), amount.Of(h.zero, "field"), amount.Of(maxEmpty, "value"))
	}
	return nil
}

func (d *Decoder) bind(count int, dst []*column.Column) error {
	if len(dst) != len(d.ops) {
		return fmt.Errorf("decoding Avro: %d columns for %d fields", len(dst), len(d.ops))
	}
	copy(d.ops, d.head.proto)
	for i := range d.ops {
		if err := d.ops[i].bind(dst[i], count); err != nil {
			return fmt.Errorf("decoding Avro field %q: %w", d.head.fields[i].Name, err)
		}
		if dst[i] != nil && d.watched != nil && d.watched[i] != nil {
			w := d.watched[i]
			*w, d.ops[i].origins = extend((*w)[:0], count)
		}
	}
	countSkips(d.ops)
	return nil
}

// rows decodes all records. On an error it returns the place too.
func (d *Decoder) rows(count int) (row, field int, err error) {
	buf, pos := d.r.buf, 0
	for row = range count {
		for field = 0; field < len(d.ops); field++ {
			o := &d.ops[field]
			if o.skips > 0 {
				var n int
				n, pos = skipTexts(d.ops[field:field+o.skips], buf, pos)
				if field += n; n == o.skips {
					field--
					continue
				}
				o = &d.ops[field]
			}
			if o.union {
				if pos < len(buf) && uint16(buf[pos]) == o.null {
					pos++
					o.setNull(row)
					continue
				}
				if pos == len(buf) || uint16(buf[pos]) != o.some {
					d.r.pos = pos
					if err = d.branch(o, row); err != nil {
						return row, field, err
					}
					pos = d.r.pos
					continue
				}
				pos++
			}
			if o.code <= opSkipBytes && pos < len(buf) {
				// Short strings are nearly everything there is.
				if c := int(buf[pos]); c&0x81 == 0 && c>>1 < len(buf)-pos {
					end := pos + 1 + c>>1
					if o.code == opBytes {
						o.addText(row, buf[pos+1:end])
					}
					pos = end
					continue
				}
			}
			d.r.pos = pos
			if err = d.value(o, row); err != nil {
				return row, field, err
			}
			pos = d.r.pos
		}
		d.ends[row] = uint32(pos)
	}
	d.r.pos = pos
	return 0, 0, nil
}

// skipTexts passes over optional texts until one is not short, or wrong. It
// returns how many it passed and where it stopped. Which of them are null cannot
// be predicted, so that nothing branches by it.
func skipTexts(ops []op, buf []byte, pos int) (passed, at int) {
	for i := range ops {
		if pos+1 >= len(buf) {
			return i, pos
		}
		u := buf[pos] ^ byte(ops[i].null) // 0 for null, 2 for a text
		some := -(u >> 1)                 // 0, or all ones
		size := buf[pos+1] & some
		next := pos + 1 + int(some&1) + int(size>>1)
		if u&^2|size&0x81 != 0 || next > len(buf) {
			return i, pos
		}
		pos = next
	}
	return len(ops), pos
}

// branch decodes an optional field whose branch number is not in its shortest
// form, or wrong.
func (d *Decoder) branch(o *op, row int) error {
	some, err := d.r.some(o)
	switch {
	case err != nil:
		return err
	case some:
		return d.value(o, row)
	}
	o.setNull(row)
	return nil
}

// value decodes one value that is not null, unless the op sees to that itself.
func (d *Decoder) value(o *op, row int) (err error) {
	var v []byte
	var i int64
	switch o.code {
	case opBytes:
		if v, err = d.r.bytes(); err == nil {
			o.addText(row, v)
		}
	case opLong:
		if i, err = d.r.long(); err == nil {
			d.integer(o, row, i)
		}
	case opInt:
		if i, err = d.r.int(); err == nil {
			d.integer(o, row, i)
		}
	case opLongNative:
		o.ints[row], err = d.r.long()
	case opIntNative:
		o.ints[row], err = d.r.int()
	case opDoubleNative:
		if v, err = d.r.takeBytes(8); err == nil {
			o.floats[row] = math.Float64frombits(binary.LittleEndian.Uint64(v))
		}
	case opText:
		err = d.render(o, row, o.node)
	case opUnion:
		var b int
		if b, err = d.r.index(len(o.node.branches), errBranch); err == nil && o.node.branches[b].kind != kindNull {
			err = d.render(o, row, o.node.branches[b])
		}
	case opNull:
	default:
		err = d.r.pass(o)
	}
	return err
}

// some reads the branch of an optional field, and whether it is not null.
func (r *reader) some(o *op) (bool, error) {
	v, err := r.int()
	switch {
	case err != nil:
		return false, err
	case 2*v == int64(o.null):
		return false, nil
	case 2*v == int64(o.some):
		return true, nil
	}
	return false, errBranch
}

// pass passes over a value that is not null and not wanted.
func (r *reader) pass(o *op) (err error) {
	switch o.code {
	case opSkipBytes:
		_, err = r.bytes()
	case opSkipLong:
		_, err = r.long()
	case opSkip:
		err = r.skip(o.node, 0)
	default:
		err = errors.New("an unknown operation")
	}
	return err
}

func (d *Decoder) integer(o *op, row int, v int64) {
	d.text = strconv.AppendInt(d.text[:0], v, 10)
	o.codes[row] = o.dict.Add(d.text)
}

// render decodes a value of type n as text.
func (d *Decoder) render(o *op, row int, n *node) error {
	var err error
	if d.text, err = d.r.text(n, d.text[:0]); err != nil {
		return err
	}
	if n.names() {
		if d.r.budget -= len(d.text); d.r.budget < 0 {
			return errText.of(d.limits.Text)
		}
	}
	o.codes[row] = o.dict.Add(d.text)
	if o.origins != nil {
		o.origins[row] = n.origin(d.text)
	}
	return nil
}
