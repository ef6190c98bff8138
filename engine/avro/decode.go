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

// Decoder decodes blocks of the files that share a header, a slice at a time. It is for
// one goroutine; its memory grows to the largest block that is not large, and is used
// again.
type Decoder struct {
	head    *Header
	blocks  *decompressor
	block   *Block // the one that Begin began
	data    []byte // of it, decompressed
	row     int    // the next of its records
	at      int    // where that begins in data
	ops     []op
	r       renderer
	text    []byte
	texts   int // bytes of them in the slice at hand
	limits  Limits
	ends    []uint32 // of the records of the last slice
	batch   batch
	encoder *recordEncoder // nil until something is encoded
	// watched is what Watch was given, by field; nil if nothing.
	watched []*[]Origin
}

// NewDecoder returns a decoder of the blocks that belong to h.
func (h *Header) NewDecoder(lim Limits) *Decoder {
	return &Decoder{head: h, blocks: newDecompressor(h.codec), ops: make([]op, len(h.proto)), limits: lim}
}

// Begin decompresses a block, whose records Next decodes. An error is a DamageError,
// of a LimitError if it takes more than it may.
func (d *Decoder) Begin(b *Block) error {
	d.block, d.data, d.row, d.at = b, b.Data, 0, 0
	// Some codecs cannot represent nothing, and some writers do not try.
	if b.Count > 0 || len(b.Data) > 0 {
		if err := d.decompress(b); err != nil {
			return d.damaged(d.head.codec, err)
		}
	}
	if err := d.head.plausible(b.Count, len(d.data)); err != nil {
		return d.damaged("its record count is wrong", err)
	}
	return nil
}

// decompress decompresses a block: as far as it is not large at once, and one that is when
// it has the turn.
func (d *Decoder) decompress(b *Block) (err error) {
	first := d.limits.Block
	if b.turn == nil && d.limits.Turn != nil {
		first = min(d.limits.Large, first)
	}
	d.data, err = d.blocks.decompress(b.Data, first)
	var large *LimitError
	if errors.As(err, &large) && first < d.limits.Block && large.Size <= d.limits.Block {
		b.take(d.limits.Turn)
		if d.blocks.shrink(0); large.What == blockUnpacked {
			d.blocks.shrink(large.Size)
		}
		d.data, err = d.blocks.decompress(b.Data, d.limits.Block)
	}
	if b.turn != nil {
		b.decoder = d
	}
	return err
}

// shrink gives up what a large block took.
func (d *Decoder) shrink() {
	d.data = nil
	d.blocks.shrink(0)
	if k := d.encoder; k != nil {
		k.data, k.rest, k.out.Data = nil, nil, nil
	}
}

// Next appends the next rows of the block that Begin began to the columns of dst, which
// has one for each of the header's fields, or nil for a field to be skipped, and tells
// where the records are: they are the Decoder's until its next call. Behind the last row
// there are none. A column of type String takes the text of any field, Int64 takes Native
// Long and Double takes Native Double. After an error, a DamageError unless
// dst is wrong, the contents of the columns mean nothing.
func (d *Decoder) Next(dst []*column.Column) (Records, error) {
	b := d.block
	n := min(b.Count-d.row, d.limits.sliceRows())
	if err := d.bind(n, dst); err != nil {
		return Records{}, err
	}
	row, field, err := d.decodeRecords(d.data[d.at:], n, d.sliceBytes())
	if err != nil {
		where := fmt.Sprintf("row %d, field %q, byte %d of the decompressed block", d.row+row, d.head.fields[field].Name, d.at+d.r.pos)
		return Records{}, d.damaged(where, err)
	}
	out := Records{Data: d.data[d.at : d.at+d.r.pos], Ends: d.ends}
	d.row, d.at = d.row+row, d.at+d.r.pos
	if left := len(d.data) - d.at; left > 0 && d.row == b.Count {
		return Records{}, d.damaged(fmt.Sprintf("%s %s left behind its %s", amount.Of(left, "byte"), amount.Verb(left, "is", "are"), amount.Of(b.Count, "record")), nil)
	}
	return out, nil
}

func (d *Decoder) sliceBytes() int {
	if d.limits.Slice <= 0 {
		return math.MaxInt
	}
	return d.limits.Slice
}

// decodeRecords decodes up to count records of data into the bound columns, no more once
// they and their texts have so many bytes, and returns how many there were. On an error it
// returns the place.
func (d *Decoder) decodeRecords(data []byte, count, bytes int) (row, field int, err error) {
	d.r.reader = reader{buf: data, limit: d.limits.Text}
	d.r.entries = d.r.entries[:0]
	d.texts = 0
	d.ends = slices.Grow(d.ends[:0], count)[:count]
	row, field, err = d.rows(count, bytes)
	if err == nil {
		d.ends = d.ends[:row]
		for i := range d.ops {
			d.ops[i].cut(row)
		}
	}
	clear(d.ops)
	return row, field, err
}

func (d *Decoder) damaged(reason string, err error) error {
	b := d.block
	d.limits.advise(err)
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
			d.ops[i].watch = w
		}
	}
	countSkips(d.ops)
	return nil
}

// rows decodes records as decodeRecords does.
func (d *Decoder) rows(count, bytes int) (row, field int, err error) {
	buf, pos := d.r.buf, 0
	for ; row < count && pos+d.texts < bytes; row++ {
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
	return row, 0, nil
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
		if d.texts += len(d.text); len(d.text) > d.limits.Text {
			return &LimitError{What: valueText, Size: len(d.text), Limit: d.limits.Text}
		}
	}
	o.codes[row] = o.dict.Add(d.text)
	if o.origins != nil {
		o.origins[row] = n.origin(d.text)
	}
	return nil
}
