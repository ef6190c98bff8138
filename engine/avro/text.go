package avro

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"reconcile/internal/column"
)

func appendUint(dst []byte, v uint32) []byte { return strconv.AppendUint(dst, uint64(v), 10) }

// renderer writes values as text. Its slices are scratch.
type renderer struct {
	reader
	entries []entry
	sorted  []byte
	// counted is how many bytes of a text that is too long were counted and given up; it
	// is not put in order any more then.
	counted int
}

// entry is a map entry whose JSON stands between two places of the output.
type entry struct {
	key      []byte
	from, to int
}

// entrySize is what an entry costs in memory.
const entrySize = 40

// names reports whether the text of values comes from the schema too, so that
// few bytes can stand for much of it.
func (n *node) names() bool { return n.kind >= kindRecord && n.kind != kindFixed }

// text appends the text of a value that is not null and not a union.
func (r *renderer) text(n *node, out []byte) ([]byte, error) {
	if n.kind != kindRecord && n.kind != kindArray && n.kind != kindMap {
		return r.scalar(n, out)
	}
	r.counted = 0
	out, err := r.json(n, out, 0)
	if size := r.counted + len(out); size > r.limit && err == nil {
		err = &LimitError{What: valueText, Size: size, Limit: r.limit}
	}
	return out, err
}

func (r *renderer) scalar(n *node, out []byte) ([]byte, error) {
	switch n.kind {
	case kindBoolean:
		v, err := r.boolean()
		return column.AppendBool(out, v), err
	case kindInt:
		v, err := r.int()
		return appendInteger(out, n.logical, v), err
	case kindLong:
		v, err := r.long()
		return appendInteger(out, n.logical, v), err
	case kindFloat:
		v, err := r.takeBytes(4)
		if err != nil {
			return out, err
		}
		return column.AppendFloat32(out, math.Float32frombits(binary.LittleEndian.Uint32(v))), nil
	case kindDouble:
		v, err := r.takeBytes(8)
		if err != nil {
			return out, err
		}
		return column.AppendDouble(out, math.Float64frombits(binary.LittleEndian.Uint64(v))), nil
	case kindEnum:
		i, err := r.index(len(n.symbols), errEnum)
		if err != nil {
			return out, err
		}
		return append(out, n.symbols[i]...), nil
	}
	v, err := r.raw(n)
	if err != nil {
		return out, err
	}
	return appendRaw(out, n, v)
}

// raw returns the bytes of a string, bytes or fixed value.
func (r *reader) raw(n *node) ([]byte, error) {
	if n.kind == kindFixed {
		return r.takeBytes(n.size)
	}
	return r.bytes()
}

func appendRaw(out []byte, n *node, v []byte) ([]byte, error) {
	switch n.logical {
	case logicalDecimal:
		if len(v) > maxDecimal {
			return out, errDecimal
		}
		return column.AppendDecimal(out, v, n.scale), nil
	case logicalUUID:
		return appendUUID(out, v), nil
	case logicalDuration:
		return appendDuration(out, v), nil
	}
	return append(out, v...), nil
}

func appendInteger(out []byte, l logical, v int64) []byte {
	switch l {
	case logicalDate:
		return column.AppendDateText(out, v)
	case logicalTimeMillis:
		return column.AppendTimeOfDayText(out, v*1_000_000)
	case logicalTimeMicros:
		return appendTimeMicros(out, v)
	case logicalMillis:
		return column.AppendTimestampText(out, v/1000, v%1000*1_000_000)
	case logicalMicros:
		return column.AppendTimestampText(out, v/1_000_000, v%1_000_000*1000)
	case logicalNanos:
		return column.AppendTimestampText(out, v/1_000_000_000, v%1_000_000_000)
	}
	return strconv.AppendInt(out, v, 10)
}

// appendTimeMicros appends a time of day. One that is no time of day and would
// overflow as nanoseconds stays the number that it is.
func appendTimeMicros(out []byte, v int64) []byte {
	if v > math.MaxInt64/1000 || v < -math.MaxInt64/1000 {
		return strconv.AppendInt(out, v, 10)
	}
	return column.AppendTimeOfDayText(out, v*1000)
}

// json appends a value as JSON.
func (r *renderer) json(n *node, out []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return out, errDepth
	}
	if len(out)+entrySize*len(r.entries) > r.limit {
		r.counted += len(out)
		out, r.entries = out[:0], r.entries[:0]
		if r.counted > MostSize {
			return out, &LimitError{What: valueText, Size: MostSize + 1, Limit: r.limit}
		}
	}
	switch n.kind {
	case kindNull:
		return append(out, "null"...), nil
	case kindUnion:
		b, err := r.index(len(n.branches), errBranch)
		if err != nil {
			return out, err
		}
		return r.json(n.branches[b], out, depth+1)
	case kindRecord:
		return r.record(n, out, depth)
	case kindArray:
		return r.array(n, out, depth)
	case kindMap:
		return r.mapping(n, out, depth)
	}
	return r.jsonScalar(n, out)
}

// jsonScalar quotes what JSON has no other form for.
func (r *renderer) jsonScalar(n *node, out []byte) ([]byte, error) {
	switch n.kind {
	case kindString, kindBytes, kindFixed:
		v, err := r.raw(n)
		if err != nil {
			return out, err
		}
		if n.logical == noLogical {
			return appendJSONString(out, v), nil
		}
		if n.logical == logicalDecimal {
			return appendRaw(out, n, v)
		}
		out, err = appendRaw(append(out, '"'), n, v)
		return append(out, '"'), err
	case kindEnum:
		i, err := r.index(len(n.symbols), errEnum)
		if err != nil {
			return out, err
		}
		return column.AppendJSONString(out, n.symbols[i]), nil
	}
	from := len(out)
	out, err := r.scalar(n, out)
	bare := n.logical == noLogical
	if n.kind == kindFloat || n.kind == kindDouble {
		// NaN, Infinity and -Infinity are no JSON numbers.
		last := out[len(out)-1]
		bare = last >= '0' && last <= '9'
	}
	if !bare {
		out = append(slices.Insert(out, from, '"'), '"')
	}
	return out, err
}

func (r *renderer) record(n *node, out []byte, depth int) ([]byte, error) {
	out = append(out, '{')
	var err error
	for i := range n.fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, n.fields[i].key...)
		if out, err = r.json(n.fields[i].node, out, depth+1); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}

func (r *renderer) array(n *node, out []byte, depth int) ([]byte, error) {
	out = append(out, '[')
	for first := true; ; {
		count, end, err := r.items(n.items.width)
		if err != nil {
			return out, err
		}
		if count == 0 {
			return append(out, ']'), nil
		}
		for ; count > 0; count-- {
			if !first {
				out = append(out, ',')
			}
			first = false
			if out, err = r.json(n.items, out, depth+1); err != nil {
				return out, err
			}
		}
		if end >= 0 && r.pos != end {
			return out, errItems
		}
	}
}

// mapping writes the entries as they come and then puts them in order.
func (r *renderer) mapping(n *node, out []byte, depth int) ([]byte, error) {
	from, base := len(out), len(r.entries)
	for {
		count, end, err := r.items(n.items.width + 1)
		if err != nil {
			return out, err
		}
		if count == 0 {
			break
		}
		for ; count > 0; count-- {
			key, err := r.bytes()
			if err != nil {
				return out, err
			}
			at := len(out)
			out = append(appendJSONString(out, key), ':')
			if out, err = r.json(n.items, out, depth+1); err != nil {
				return out, err
			}
			if r.counted == 0 {
				r.entries = append(r.entries, entry{key: key, from: at, to: len(out)})
			}
		}
		if end >= 0 && r.pos != end {
			return out, errItems
		}
	}
	if r.counted > 0 {
		return append(out, '}'), nil
	}
	out = r.sortEntries(out, from, r.entries[base:])
	r.entries = r.entries[:base]
	return out, nil
}

// sortEntries replaces out[from:] by the object of the entries, sorted, the
// last of equal keys winning.
func (r *renderer) sortEntries(out []byte, from int, entries []entry) []byte {
	slices.SortStableFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	s := append(r.sorted[:0], '{')
	for i, e := range entries {
		if i+1 < len(entries) && bytes.Equal(e.key, entries[i+1].key) {
			continue
		}
		if len(s) > 1 {
			s = append(s, ',')
		}
		s = append(s, out[e.from:e.to]...)
	}
	r.sorted = append(s, '}')
	return append(out[:from], r.sorted...)
}

// appendJSONString appends v as a JSON string in which invalid UTF-8 stays as
// it is: whoever replaces it must be able to keep the original.
func appendJSONString(dst, v []byte) []byte {
	if utf8.Valid(v) {
		return column.AppendJSONString(dst, v)
	}
	dst = append(dst, '"')
	for len(v) > 0 {
		n := validPrefix(v)
		if n == 0 {
			dst, v = append(dst, v[0]), v[1:]
			continue
		}
		at := len(dst)
		dst = column.AppendJSONString(dst, v[:n])
		dst = slices.Delete(dst, at, at+1)
		dst, v = dst[:len(dst)-1], v[n:]
	}
	return append(dst, '"')
}

// validPrefix returns the length of the valid UTF-8 at the start of v.
func validPrefix(v []byte) int {
	n := 0
	for n < len(v) {
		r, size := utf8.DecodeRune(v[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}
