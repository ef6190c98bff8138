package avro

import (
	"encoding/binary"
	"slices"
)

// recordEncoder encodes the records of a block, batchRecords at a time and field by field.
type recordEncoder struct {
	codec *RecordCodec
	out   Records
	skip  []op // by field
	r     reader

	data  []byte
	n     int    // records of the batch
	heads []byte // bits and codes of each, with room for a code of every text
	// rest of each, with room for all that it was delivered with: the memory behind out, so
	// far that no rest is overwritten before it is moved there.
	rest  []byte
	pos   [batchRecords]int
	begin [batchRecords]int // where the field begins in data
	head  [batchRecords]int // where the next code goes in heads
	tail  [batchRecords]int // where the next field goes in rest
	texts [batchRecords]int // the records in which the field is not null
	seen  []lookups         // by bit
}

// lookups are the texts that were looked up in an intern table, and those of them that were
// not there. Goroutines share tables, so that these are told now and then only.
type lookups struct{ tried, missed int }

const tellAt = 1024

func newRecordEncoder(p *RecordCodec) *recordEncoder {
	k := &recordEncoder{codec: p, skip: slices.Clone(p.head.proto), seen: make([]lookups, p.texts)}
	for i := range k.skip {
		k.skip[i].skip()
	}
	return k
}

// encode appends records from up to below to to the encoded ones.
func (k *recordEncoder) encode(recs Records, from, to int) error {
	p := k.codec
	first, _ := recs.Bounds(from)
	size := p.bitBytes() + 2*p.texts
	k.data, k.n = recs.Data, to-from
	k.heads = slices.Grow(k.heads[:0], k.n*size)[:k.n*size]
	room := k.n*size + int(recs.Ends[to-1]-first)
	k.out.Data = slices.Grow(k.out.Data, room)
	k.rest = k.out.Data[len(k.out.Data):][k.n*size : room]
	for i := range k.n {
		at, _ := recs.Bounds(from + i)
		k.pos[i], k.tail[i] = int(at), int(at-first)
		k.head[i] = i*size + p.bitBytes()
		clear(k.heads[i*size : k.head[i]])
	}
	for i := range p.steps {
		s := &p.steps[i]
		var err error
		if s.bit >= 0 {
			err = k.encodeText(s, size)
		} else {
			err = k.runOf(s)
		}
		if err != nil {
			return err
		}
	}
	for i := range k.n {
		at, _ := recs.Bounds(from + i)
		k.out.Data = append(k.out.Data, k.heads[i*size:k.head[i]]...)
		k.out.Data = append(k.out.Data, k.rest[at-first:k.tail[i]]...)
		k.out.Ends = append(k.out.Ends, uint32(len(k.out.Data)))
	}
	return nil
}

// runOf passes over fields without a bit and keeps them, if at all, as they are.
func (k *recordEncoder) runOf(s *codecStep) error {
	for i := range k.n {
		from := k.pos[i]
		at := from
		for f := s.from; f < s.to; f++ {
			var err error
			if at, err = k.skipField(&k.skip[f], at); err != nil {
				return err
			}
		}
		k.pos[i] = at
		if s.keep {
			k.copyRest(i, from, at)
		}
	}
	return nil
}

// copyRest copies a part of the data to the rest of a record.
func (k *recordEncoder) copyRest(i, from, to int) {
	k.tail[i] += copy(k.rest[k.tail[i]:], k.data[from:to])
}

// skipField returns where a field ends.
func (k *recordEncoder) skipField(o *op, at int) (int, error) {
	if end := k.skipLong(o, at); end > 0 {
		return end, nil
	}
	k.r = reader{buf: k.data, pos: at}
	some := true
	var err error
	if o.union {
		some, err = k.r.some(o)
	}
	if some && err == nil {
		err = k.r.pass(o)
	}
	return k.r.pos, err
}

// skipLong is pass for numbers whose branch is in its shortest form, 0 for all else.
func (k *recordEncoder) skipLong(o *op, at int) int {
	if o.code != opSkipLong || len(k.data)-at <= binary.MaxVarintLen64 {
		return 0
	}
	if o.union {
		if uint16(k.data[at]) == o.null {
			return at + 1
		}
		if uint16(k.data[at]) != o.some {
			return 0
		}
		at++
	}
	for k.data[at] >= 0x80 {
		at++
	}
	return at + 1
}

// encodeText encodes a field with a bit.
func (k *recordEncoder) encodeText(s *codecStep, size int) error {
	n, err := k.present(&k.skip[s.from])
	if err != nil {
		return err
	}
	table := k.codec.tables[s.bit]
	snap, lookUp, missed := table.current.Load(), !table.idle.Load(), 0
	bit, at := byte(1)<<(s.bit&7), s.bit>>3
	for _, i := range k.texts[:n] {
		v, end, err := k.textAt(k.pos[i])
		if err != nil {
			return err
		}
		code := uint16(asIs)
		if lookUp {
			if code = snap.lookUp(v); code == asIs {
				missed++
				if !table.full.Load() {
					code = table.intern(v)
					snap = table.current.Load()
				}
			}
		}
		if code == asIs {
			k.copyRest(i, k.begin[i], end)
		}
		k.pos[i] = end
		k.heads[i*size+at] |= bit
		h := k.head[i]
		k.heads[h], k.heads[h+1] = byte(code), byte(code>>8)
		k.head[i] = h + 2
	}
	if l := &k.seen[s.bit]; lookUp {
		l.tried, l.missed = l.tried+n, l.missed+missed
		if l.tried >= tellAt {
			table.judge(l.tried, l.missed)
			*l = lookups{}
		}
	}
	return nil
}

// present lists the records in which a field of text is not null, n of them, and
// passes over its branch. Nothing branches by what cannot be predicted.
func (k *recordEncoder) present(o *op) (n int, err error) {
	for i := range k.n {
		at := k.pos[i]
		k.begin[i], k.texts[n] = at, i
		if !o.union {
			n++
			continue
		}
		if at < len(k.data) && o.null+o.some == 2 {
			if u := k.data[at] ^ byte(o.null); u&^2 == 0 {
				k.pos[i] = at + 1
				n += int(u >> 1)
				continue
			}
		}
		k.r = reader{buf: k.data, pos: at}
		some, err := k.r.some(o)
		if err != nil {
			return 0, err
		}
		k.pos[i] = k.r.pos
		if some {
			n++
		}
	}
	return n, nil
}

// textAt returns the text at a place, and where it ends.
func (k *recordEncoder) textAt(at int) (v []byte, end int, err error) {
	if at < len(k.data) {
		if c := int(k.data[at]); c&0x81 == 0 && c>>1 < len(k.data)-at {
			end = at + 1 + c>>1
			return k.data[at+1 : end], end, nil
		}
	}
	k.r = reader{buf: k.data, pos: at}
	v, err = k.r.bytes()
	return v, k.r.pos, err
}
