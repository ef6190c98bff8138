package engine

import (
	"bytes"
	"fmt"
	"math"
	"unicode/utf8"

	"reconcile/config"
	"reconcile/engine/avro"
	"reconcile/engine/rows"
	"reconcile/internal/column"
)

// replacement stands for invalid UTF-8.
var replacement = []byte("\uFFFD")

// castError is a value that does not cast in a table that does not rescue.
type castError struct {
	column, value string
	typ           column.Type
}

func (e *castError) Error() string {
	return fmt.Sprintf("column %s: %q is not a %s and the table says on_cast_error = \"fail\"", e.column, e.value, e.typ)
}

// builder collects the rows of a segment.
type builder struct {
	schema *schema
	cols   []column.Column
	n      int
	rows   []rows.Row
	items  map[int][]column.Rescued // of the current block, by row
	failed map[int]*castError       // likewise, where the table does not rescue
	user   column.Column
	key    column.Column
	bad    []badRow
	// rescued counts the rows with something rescued.
	rescued int64
}

func newBuilder(s *schema) *builder {
	return &builder{schema: s, cols: s.emptyPayload(), items: map[int][]column.Rescued{}, failed: map[int]*castError{}}
}

// memory estimates the bytes that the builder holds, with room for the sort.
func (b *builder) memory() int {
	m := cap(b.rows) * 40
	for i := range b.cols {
		c := &b.cols[i]
		m += 4*cap(c.Codes) + 8*cap(c.Ints) + 8*cap(c.Floats) + cap(c.Null)
		if c.Dict != nil {
			m += c.Dict.Memory()
		}
	}
	return m
}

func (b *builder) seal() *rows.Segment {
	return rows.NewSegment(b.rows, &column.Batch{N: b.n, Cols: b.cols})
}

// add decodes one block of a file. first is the number of its first row in
// the file.
func (b *builder) add(p *filePlan, blk *avro.Block, first int64, failCasts bool) error {
	for i := range p.dst {
		p.dst[i] = nil
	}
	for i := range p.bindings {
		bd := &p.bindings[i]
		if bd.direct {
			p.dst[bd.uses[0].field] = &b.cols[bd.target]
			continue
		}
		for j := range bd.uses {
			bd.uses[j].col.Reset()
			p.dst[bd.uses[j].field] = &bd.uses[j].col
		}
	}
	if err := p.dec.Decode(blk, p.dst); err != nil {
		return err
	}
	n := int(blk.Count)
	clear(b.items)
	clear(b.failed)
	b.user = column.Column{Type: typeInt64, Ints: b.user.Ints[:0]}
	b.key = column.Column{Type: typeInt64, Ints: b.key.Ints[:0]}
	for i := range p.bindings {
		b.bind(&p.bindings[i], n, failCasts)
	}
	for _, i := range p.absent {
		b.cols[i].AppendNulls(n)
	}
	b.rescue(n)
	if err := b.place(p, n, first); err != nil {
		return err
	}
	b.n += n
	return nil
}

// bind moves the values of one binding to their column.
func (b *builder) bind(bd *binding, n int, failCasts bool) {
	if bd.direct {
		c, name := &b.cols[bd.target], bd.uses[0].name
		if b.schema.kind == kindUsers {
			b.keptUncast(c, &b.schema.payload[bd.target], n, func(int) *use { return &bd.uses[0] }, failCasts)
		} else {
			b.repair(c, name, n)
		}
		return
	}
	if bd.target >= 0 && b.schema.payload[bd.target].mask == config.MaskHMAC {
		for i := range bd.uses {
			column.MaskColumn(&bd.uses[i].col, b.schema.payload[bd.target].key)
		}
	}
	src, from := bd.winner(n, b.loser(bd))
	switch bd.target {
	case targetUser:
		bd.castID(src, &b.user, from)
		return
	case targetKey:
		bd.castID(src, &b.key, from)
		return
	}
	p := &b.schema.payload[bd.target]
	dst := &b.cols[bd.target]
	if b.schema.kind == kindUsers {
		b.keepUncast(src, dst, p, n, from, failCasts)
		return
	}
	var fails []column.Fail
	switch {
	case p.mask != config.MaskNone:
		column.Cast(src, typeString, dst)
		return
	case isTimestampName(p.fold):
		fails = column.CastTimestamp(src, dst)
	case isIDName(p.fold):
		fails = bd.castID(src, dst, from)
	default:
		fails = column.Cast(src, p.typ, dst)
	}
	for _, f := range fails {
		if failCasts && !f.Kept {
			b.failed[f.Row] = &castError{column: p.Delivered, value: string(f.Text), typ: p.typ}
		}
		b.items[f.Row] = append(b.items[f.Row], column.Rescued{Name: from(f.Row).name, Value: append([]byte(nil), f.Text...)})
	}
}

// loser returns what becomes of a value that another spelling of its name
// outdoes: it is rescued, unless its column is masked.
func (b *builder) loser(bd *binding) func(row int, u *use) {
	if bd.target >= 0 && b.schema.payload[bd.target].mask != config.MaskNone {
		return func(int, *use) {}
	}
	return func(row int, u *use) {
		b.items[row] = append(b.items[row], column.Rescued{Name: u.name, Value: append([]byte(nil), u.col.Bytes(row)...)})
	}
}

// repair replaces invalid UTF-8 among the last n values of a column that was
// decoded straight into place, and rescues the originals.
func (b *builder) repair(c *column.Column, name string, n int) {
	if len(c.Dict.Invalid()) == 0 {
		return
	}
	base := len(c.Codes) - n
	for row, code := range c.Codes[base:] {
		if code == 0 {
			continue
		}
		v := c.Dict.Value(code)
		if utf8.Valid(v) {
			continue
		}
		v = append([]byte(nil), v...)
		b.items[row] = append(b.items[row], column.Rescued{Name: name, Value: v, Base64: true})
		c.Codes[base+row] = c.Dict.Add(bytes.ToValidUTF8(v, replacement))
	}
}

// keepUncast copies the texts of a users column as they are: users are cast
// when they are merged.
func (b *builder) keepUncast(src, dst *column.Column, p *payload, n int, from func(int) *use, failCasts bool) {
	for row := range n {
		if src.IsNull(row) {
			dst.AppendNulls(1)
		} else {
			dst.AppendBytes(src.Bytes(row))
		}
	}
	b.keptUncast(dst, p, n, from, failCasts)
}

// keptUncast notes what the last n values of a users column need to be cast
// later, and finds those that will not cast where the table does not rescue.
func (b *builder) keptUncast(c *column.Column, p *payload, n int, from func(int) *use, failCasts bool) {
	base := len(c.Codes) - n
	b.noteSpelling(c, base, n, p, from)
	if !failCasts || p.mask != config.MaskNone {
		return
	}
	src := column.Column{Type: typeString, Codes: c.Codes[base:], Dict: c.Dict}
	var dst column.Column
	for _, f := range column.Cast(&src, p.cast, &dst) {
		if !f.Kept {
			b.failed[f.Row] = &castError{column: p.Delivered, value: string(f.Text), typ: p.cast}
		}
	}
	for row := range n {
		if from(row).float && isIDName(p.fold) && !c.IsNull(base+row) {
			b.failed[row] = &castError{column: p.Delivered, value: string(src.Bytes(row)), typ: p.cast}
		}
	}
}

// What marks the notes of a users row. No delivered name holds a NUL.
const (
	// spellingKey: the spelling under which a column was delivered where it is
	// not the column's own.
	spellingKey = "\x00"
	// floatKey, which begins like it: an id that came as a float or double and
	// so does not cast.
	floatKey = "\x00\x00"
)

func (b *builder) noteSpelling(c *column.Column, base, n int, p *payload, from func(int) *use) {
	id := isIDName(p.fold)
	for row := range n {
		u := from(row)
		if u.name != p.Delivered && !c.IsNull(base+row) {
			b.items[row] = append(b.items[row], column.Rescued{Name: spellingKey + p.fold, Value: []byte(u.name)})
		}
		if id && u.float && !c.IsNull(base+row) {
			b.items[row] = append(b.items[row], column.Rescued{Name: floatKey + p.fold})
		}
	}
}

// rescue writes the block's rescued values to the last payload column.
func (b *builder) rescue(n int) {
	c := &b.cols[len(b.cols)-1]
	base := len(c.Codes)
	c.AppendNulls(n)
	for row, items := range b.items {
		c.Codes[base+row] = c.Dict.Add(column.AppendRescue(nil, items))
		b.rescued++
	}
}

// place gives the block's rows their partition and version; those without
// their key columns go to the quarantine.
func (b *builder) place(p *filePlan, n int, first int64) error {
	s := b.schema
	for i := range n {
		at := b.n + i
		ver, err := rows.Version(p.file.rank, p.file.index, int(first)+i)
		if err != nil {
			return err
		}
		r := rows.Row{Ver: ver, At: uint32(at)}
		if len(b.user.Ints) == 0 || b.user.IsNull(i) {
			b.quarantine(p, i, first, targetUser)
			continue
		}
		r.Raw = b.user.Ints[i]
		switch {
		case s.kind == kindUsers:
			r.Key = math.MinInt64
			if c, ok := s.byFold[colModified]; ok {
				r.Key = modifiedMillis(&b.cols[c], at)
			}
		case len(b.key.Ints) == 0 || b.key.IsNull(i):
			b.quarantine(p, i, first, targetKey)
			continue
		default:
			r.Key = b.key.Ints[i]
		}
		if err := b.failed[i]; err != nil {
			return err
		}
		if s.part.Unit != config.UnitNone {
			r.Part = rows.NullPart
			if s.partCol >= 0 {
				r.Part = partOf(s.part.Unit, &b.cols[s.partCol], at)
			}
		}
		b.rows = append(b.rows, r)
	}
	return nil
}
