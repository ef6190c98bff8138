package column

import "slices"

// byteCast returns the stored form of a text; buf is room for it.
type byteCast func(buf, text []byte) ([]byte, outcome)

// castBytes is Cast to a type that is held as bytes.
func (r Rule) castBytes(src, dst *Column) CastResult {
	cast := byteCast(textToString)
	switch r.Type.ID {
	case JSON:
		cast = textToJSON
	case Decimal:
		cast = r.appendBigDecimal
	}
	dst.Codes = slices.Grow(dst.Codes, src.Len())
	if !isText(src.Type) {
		return castRows(src, dst, cast)
	}
	if r.Type.ID == String && len(src.Dict.Invalid()) == 0 {
		copyTexts(src, dst)
		return CastResult{}
	}
	return castCodes(src, dst, cast)
}

// castRows casts row by row through the text of values that are not text.
func castRows(src, dst *Column, cast byteCast) (res CastResult) {
	var text, room []byte
	for i := range src.Len() {
		if src.IsNull(i) {
			dst.Codes = append(dst.Codes, 0)
			continue
		}
		text = AppendText(text[:0], src, i)
		v, o := cast(room[:0], text)
		dst.Codes = append(dst.Codes, addCast(dst.Dict, v, o))
		res.note(o, i, text, true)
	}
	return res
}

// note counts what became of a value, and keeps its text where that is lost; a
// scratch one is copied.
func (r *CastResult) note(o outcome, row int, text []byte, scratch bool) {
	switch {
	case o == castRounded:
		r.Rounded++
	case o >= castFail:
		if scratch {
			text = slices.Clone(text)
		}
		r.Fails = append(r.Fails, Fail{Row: row, Text: text, Kept: o == castKept})
	}
}

// addCast returns the code of a cast value, 0 when it became null.
func addCast(d *Dict, v []byte, o outcome) uint32 {
	if o == castOK || o == castRounded || o == castKept {
		return d.Add(v)
	}
	return 0
}

// castCodes casts each value once where that is worth it.
func castCodes(src, dst *Column, cast byteCast) (res CastResult) {
	m := newCodeMemo(src)
	var room [16]byte
	for i, code := range src.Codes {
		if code == 0 {
			dst.Codes = append(dst.Codes, 0)
			continue
		}
		var to uint32
		var o outcome
		if m.outs != nil && m.outs[code] != castUnknown {
			to, o = m.vals[code], m.outs[code]
		} else {
			var v []byte
			v, o = cast(room[:0], src.Dict.Value(code))
			to = addCast(dst.Dict, v, o)
			if m.outs != nil {
				m.vals[code], m.outs[code] = to, o
			}
		}
		dst.Codes = append(dst.Codes, to)
		res.note(o, i, src.Dict.Value(code), false)
	}
	return res
}

// newCodeMemo returns a memo from the codes of src to new ones, empty when the
// dictionary is that of many more rows.
func newCodeMemo(src *Column) memo[uint32] {
	n := src.Dict.Len()
	if n > 4*len(src.Codes)+64 {
		return memo[uint32]{}
	}
	return memo[uint32]{make([]uint32, n), make([]outcome, n)}
}

// copyTexts appends valid text as it is.
func copyTexts(src, dst *Column) {
	m := newCodeMemo(src)
	if m.outs != nil && len(dst.Codes) == 0 && dst.Dict.Len() == 1 {
		dst.Dict.copyFrom(src.Dict)
		dst.Codes = append(dst.Codes, src.Codes...)
		return
	}
	for _, code := range src.Codes {
		var to uint32
		switch {
		case code == 0:
		case m.vals != nil && m.vals[code] != 0:
			to = m.vals[code]
		default:
			to = dst.Dict.addHashed(src.Dict.Value(code), src.Dict.Hash(code))
			if m.vals != nil {
				m.vals[code] = to
			}
		}
		dst.Codes = append(dst.Codes, to)
	}
}

// copyFrom makes d equal to s, reusing d's memory.
func (d *Dict) copyFrom(s *Dict) {
	d.off = append(d.off[:0], s.off...)
	d.data = append(d.data[:0], s.data...)
	d.hash = append(d.hash[:0], s.hash...)
	d.table = append(d.table[:0], s.table...)
	d.invalid = append(d.invalid[:0], s.invalid...)
	d.mask, d.adds, d.plain = s.mask, s.adds, s.plain
}
