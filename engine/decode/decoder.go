package decode

import (
	"fmt"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/exec"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// castError is a value that does not cast in a table that does not rescue.
type castError struct {
	column, value string
	rule          column.Rule
}

// Error says what does not cast.
func (e *castError) Error() string {
	return fmt.Sprintf("column %s: %q is not of type %s, and the table says on_cast_error = \"fail\"", e.column, e.value, e.rule.Type)
}

// Cause implements partfile.ContentError.
func (e *castError) Cause() exec.Cause {
	return exec.Cause{Column: e.column, Rule: rules.RuleText(e.rule)}
}

// Decoder turns records into the payload columns of a schema: bound, cast, and
// with what did not cast rescued. One goroutine uses it.
type Decoder struct {
	schema *Schema
	// failCasts says that the table does not rescue.
	failCasts bool
	Cols      []column.Column
	user, key column.Column
	// users and keys are what those hold.
	users, keys rules.Column
	items       map[int][]column.Rescued // by row
	failed      map[int]*castError       // likewise, where the table does not rescue
	Rescued     int64                    // rows with something rescued
	Rounded     int64                    // values
}

// NewDecoder returns a decoder into the columns of a schema.
func NewDecoder(s *Schema) *Decoder {
	return &Decoder{schema: s, Cols: s.EmptyPayload(), users: rules.KeyColumn(feed.UserID), keys: rules.KeyColumn(s.Key), items: map[int][]column.Rescued{}, failed: map[int]*castError{}}
}

// Records decodes encoded records into all columns. What the columns held is gone.
func (d *Decoder) Records(p *Plan, records [][]byte) error {
	d.setTargets(p, p.all)
	if err := p.dec.DecodeEncoded(records, p.Codec, p.dst); err != nil {
		return err
	}
	d.finish(p, len(records))
	return nil
}

// Next decodes the next rows of the block that Begin of the plan began, as they were
// delivered, and returns how many these are: none behind the last.
func (d *Decoder) Next(p *Plan) (int, error) {
	d.setTargets(p, p.all)
	recs, err := p.dec.Next(p.dst)
	if err != nil {
		return 0, err
	}
	d.bindAll(p, p.all, len(recs.Ends))
	return len(recs.Ends), nil
}

// EachSlice calls use when rows of a block are decoded, with their number, until all are.
func (d *Decoder) EachSlice(p *Plan, b *avro.Block, use func(n int) error) error {
	if err := p.Begin(b); err != nil {
		return err
	}
	for {
		n, err := d.Next(p)
		if err != nil || n == 0 {
			return err
		}
		if err := use(n); err != nil {
			return err
		}
	}
}

// Record is Records for one record as it was delivered.
func (d *Decoder) Record(p *Plan, record []byte) error {
	d.setTargets(p, p.all)
	if err := p.dec.DecodeRecord(record, p.dst); err != nil {
		return err
	}
	d.finish(p, 1)
	return nil
}

func (d *Decoder) finish(p *Plan, n int) {
	d.bindAll(p, p.all, n)
	d.rescue(n)
}

// setTargets points the plan at the columns that some of its bindings feed.
func (d *Decoder) setTargets(p *Plan, bindings []int) {
	for i := range d.Cols {
		d.Cols[i].Reset()
	}
	clear(p.dst)
	for _, i := range bindings {
		bd := &p.bindings[i]
		if bd.direct {
			p.dst[bd.uses[0].field] = &d.Cols[bd.target]
			continue
		}
		for j := range bd.uses {
			bd.uses[j].col.Reset()
			p.dst[bd.uses[j].field] = &bd.uses[j].col
		}
	}
}

// bindAll moves what was decoded to its columns, of which those that the records
// lack become null.
func (d *Decoder) bindAll(p *Plan, bindings []int, n int) {
	clear(d.items)
	clear(d.failed)
	d.user = column.Column{Type: column.Int64Type, Ints: d.user.Ints[:0]}
	d.key = column.Column{Type: column.Int64Type, Ints: d.key.Ints[:0]}
	for _, i := range bindings {
		d.bind(&p.bindings[i], n, d.failCasts)
	}
	for _, i := range p.absent {
		d.Cols[i].AppendNulls(n)
	}
}

// bind moves the values of one binding to their column.
func (d *Decoder) bind(bd *binding, n int, failCasts bool) {
	if bd.direct {
		d.bindDirect(bd, n, failCasts)
		return
	}
	if bd.target >= 0 && d.schema.Payload[bd.target].Mask == definition.MaskHMAC {
		for i := range bd.uses {
			column.MaskColumn(&bd.uses[i].col, d.schema.Keys[bd.target])
		}
	}
	src, from := bd.winner(n, d.loser(bd))
	switch bd.target {
	case rules.TargetUser:
		d.users.Cast(src, &d.user, from.Origins)
		return
	case rules.TargetKey:
		d.keys.Cast(src, &d.key, from.Origins)
		return
	}
	p, dst := &d.schema.Payload[bd.target], &d.Cols[bd.target]
	if d.schema.Kind == feed.KindUsers { // they are cast when they are merged
		for row := range n {
			if src.IsNull(row) {
				dst.AppendNulls(1)
			} else {
				dst.AppendBytes(src.Bytes(row))
			}
		}
		d.noteUncast(dst, p, n, from, failCasts)
		return
	}
	res := p.Cast(src, dst, from.Origins)
	d.Rounded += res.Rounded
	d.rescueFails(res.Fails, from)
	if failCasts {
		d.failOn(p, res.Fails)
	}
}

// bindDirect is bind for values that were decoded straight into their column.
func (d *Decoder) bindDirect(bd *binding, n int, failCasts bool) {
	c := &d.Cols[bd.target]
	if d.schema.Kind == feed.KindUsers {
		d.noteUncast(c, &d.schema.Payload[bd.target], n, bd.only, failCasts)
		return
	}
	d.rescueFails(rules.RepairTexts(c, n), bd.only)
}

// rescueFails rescues the originals of values of a column that did not cast.
func (d *Decoder) rescueFails(fails []column.Fail, from source) {
	for _, f := range fails {
		d.items[f.Row] = append(d.items[f.Row], column.Rescued{Name: from.use(f.Row).name, Value: slices.Clone(f.Text)})
	}
}

// failOn notes which rows hold a table that does not rescue.
func (d *Decoder) failOn(p *rules.Column, fails []column.Fail) {
	for _, f := range fails {
		if !f.Kept {
			d.failed[f.Row] = &castError{column: p.Delivered, value: string(f.Text), rule: p.Rule}
		}
	}
}

// loser returns what becomes of a value that another spelling of its name
// outdoes: it is rescued, unless its column is masked.
func (d *Decoder) loser(bd *binding) func(row int, u *use) {
	if bd.target >= 0 && d.schema.Payload[bd.target].Mask != definition.MaskNone {
		return func(int, *use) {}
	}
	return func(row int, u *use) {
		d.items[row] = append(d.items[row], column.Rescued{Name: d.loserNote(bd, u), Value: slices.Clone(u.col.Bytes(row))})
	}
}

// loserNote is the name under which a value that lost is kept. Users are published
// from notes, which must tell the column.
func (d *Decoder) loserNote(bd *binding, u *use) string {
	if d.schema.Kind != feed.KindUsers || bd.target < 0 {
		return u.name
	}
	if t, ok := d.schema.Target(u.name); ok && t == bd.target {
		return u.name
	}
	return rules.LoserName(d.schema.Payload[bd.target].ID, u.name)
}

// noteUncast notes what the last n values of a users column need to be cast later, and
// finds those that will not cast where the table does not rescue.
func (d *Decoder) noteUncast(c *column.Column, p *rules.Column, n int, from source, failCasts bool) {
	base := c.Len() - n
	p.DropZeros(c, base, from.Origins)
	d.noteSpelling(c, base, n, p, from)
	if !failCasts {
		return
	}
	src := column.Column{Type: column.StringType, Codes: c.Codes[base:], Dict: c.Dict}
	d.failOn(p, p.Cast(&src, &column.Column{}, from.Origins).Fails)
}

func (d *Decoder) noteSpelling(c *column.Column, base, n int, p *rules.Column, from source) {
	id := feed.IsID(p.ID)
	for row := range n {
		u := from.use(row)
		if u.name != p.Delivered && !c.IsNull(base+row) {
			d.items[row] = append(d.items[row], rules.SpellingNote(p.ID, u.name))
		}
		if id && u.origin(row) != avro.Plain && !c.IsNull(base+row) {
			d.items[row] = append(d.items[row], rules.NoIDNote(p.ID))
		}
	}
}

// rescue writes the rescued values of n rows to the last payload column.
func (d *Decoder) rescue(n int) {
	c := &d.Cols[d.schema.Rescued()]
	base := len(c.Codes)
	c.AppendNulls(n)
	for row, items := range d.items {
		c.Codes[base+row] = c.Dict.Add(column.AppendRescue(nil, items))
		d.Rescued++
	}
}
