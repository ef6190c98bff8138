package decode

import (
	"maps"
	"slices"

	"reconcile/engine/avro"
	"reconcile/engine/rules"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
)

// use is one field of a file that feeds a column. col is scratch space for a
// block's values, unless they go straight to their column.
type use struct {
	field   int
	name    string // as delivered
	telling bool   // some values are not what their texts look like
	col     column.Column
	// origins are those of a block's values, where they matter.
	origins []avro.Origin
}

// origin is that of a row's value.
func (u *use) origin(row int) avro.Origin {
	if len(u.origins) == 0 {
		return avro.Plain
	}
	return u.origins[row]
}

// binding says which fields of a file feed one column. More than one are
// spellings of one name: the last that has a value wins.
type binding struct {
	target int // as of rules.Schema.Target
	uses   []use
	direct bool   // decoded straight into the payload column
	only   source // of all values, if there is one use
}

// source says of the values of a binding which use each comes from, and what they were.
type source struct {
	use func(row int) *use
	rules.Origins
}

// Plan is how the records of one record format are turned into columns. It belongs
// to one goroutine.
type Plan struct {
	dec      *avro.Decoder
	bindings []binding
	all      []int // the bindings, each
	place    []int // those that say where a row belongs
	checks   []*use
	absent   []int // payload columns that the record format lacks
	dst      []*column.Column

	// Codec is that of encoded records, which all plans of a record format share; nil if
	// no records are encoded.
	Codec    *avro.RecordCodec
	Unlisted []string // delivered fields that the manifest does not list
	Spelled  []string // columns whose names are spelled in another way here
	Lacks    string   // key column that the record format has no field for
}

// NewPlan binds the fields of files that are written alike, and whose manifests list the
// same names, to the columns of a schema.
func NewPlan(head *avro.Header, names *rules.FileNames, limits avro.Limits, s *Schema) *Plan {
	fields := head.Fields()
	dec := head.NewDecoder(limits)
	p := &Plan{dec: dec, dst: make([]*column.Column, len(fields))}
	byTarget := map[int]*binding{}
	list := names.Listed()
	for _, fi := range list.Order() {
		field := fields[fi]
		name, listed := s.Meant(list, field.Name)
		if !listed {
			p.Unlisted = append(p.Unlisted, field.Name)
			continue
		}
		target, ok := s.Target(name)
		if !ok || target >= 0 && s.Payload[target].Mask == definition.MaskNull {
			continue
		}
		b := byTarget[target]
		if b == nil {
			b = &binding{target: target}
			byTarget[target] = b
		}
		if target >= 0 && field.Name != s.Payload[target].Delivered {
			p.Spelled = append(p.Spelled, s.Payload[target].ID)
		}
		b.uses = append(b.uses, newUse(fi, field))
	}
	for _, target := range slices.Sorted(maps.Keys(byTarget)) {
		b := byTarget[target]
		b.resolve(s)
		if s.readsOrigins(target) {
			b.watch(dec)
		}
		if len(b.uses) == 1 {
			b.only = b.source(func(int) *use { return &b.uses[0] })
		}
		p.all = append(p.all, len(p.bindings))
		if s.Places(target) {
			p.place = append(p.place, len(p.bindings))
		} else {
			p.check(b, fields)
		}
		p.bindings = append(p.bindings, *b)
	}
	for i := range s.Payload[:s.Rescued()] {
		if byTarget[i] == nil {
			p.absent = append(p.absent, i)
		}
	}
	lacks := func(key string) bool {
		target, ok := s.Target(key)
		return !ok || byTarget[target] == nil
	}
	keys := s.Required()
	if i := slices.IndexFunc(keys, lacks); i >= 0 {
		p.Lacks = keys[i]
	}
	return p
}

// Begin begins a block, whose rows Next, Encode or Find of a Decoder decodes.
func (p *Plan) Begin(b *avro.Block) error { return p.dec.Begin(b) }

// Wanted says which fields feed some column.
func (p *Plan) Wanted() []bool {
	out := make([]bool, len(p.dst))
	for i := range p.bindings {
		for _, u := range p.bindings[i].uses {
			out[u.field] = true
		}
	}
	return out
}

// Feeds returns the target that a field of the files feeds; false if it feeds none.
func (p *Plan) Feeds(field string) (target int, ok bool) {
	for i := range p.bindings {
		if slices.ContainsFunc(p.bindings[i].uses, func(u use) bool { return u.name == field }) {
			return p.bindings[i].target, true
		}
	}
	return 0, false
}

// check adds the fields of a binding that must be decoded to know that they can
// be decoded.
func (p *Plan) check(b *binding, fields []avro.Field) {
	for _, u := range b.uses {
		if fields[u.field].Checked {
			p.checks = append(p.checks, &use{field: u.field, name: u.name, col: column.Column{Type: column.StringType}})
		}
	}
}

func newUse(i int, f avro.Field) use {
	return use{field: i, name: f.Name, telling: f.Telling, col: column.Column{Type: nativeType(f.Native)}}
}

// resolve decides how the values of a binding travel.
func (b *binding) resolve(s *Schema) {
	text := len(b.uses) > 1 // winner takes texts
	if b.target >= 0 {
		p := s.Payload[b.target]
		b.direct = len(b.uses) == 1 && p.Type == column.StringType && p.Mask == definition.MaskNone
		text = text || p.Type == column.StringType
	}
	if text {
		b.texts()
	}
}

// readsOrigins reports whether a target takes ids or the timestamps of the contract:
// not all that looks like one of these is one.
func (s *Schema) readsOrigins(target int) bool {
	return target < 0 || feed.IsID(s.Payload[target].ID) || feed.IsTimestamp(s.Payload[target].ID)
}

// watch has the origins of the values of a binding noted, where there are any.
func (b *binding) watch(dec *avro.Decoder) {
	if !b.watched() {
		return
	}
	b.texts()
	for i := range b.uses {
		dec.Watch(b.uses[i].field, &b.uses[i].origins)
	}
}

func (b *binding) watched() bool {
	return slices.ContainsFunc(b.uses, func(u use) bool { return u.telling })
}

// texts makes the values of a binding travel as texts.
func (b *binding) texts() {
	for i := range b.uses {
		b.uses[i].col.Type = column.StringType
	}
}

// winner returns the column whose values count, and the use that each row takes
// its value from. Of several spellings the last that has a value wins; lose is
// told of the others.
func (b *binding) winner(n int, lose func(row int, u *use)) (*column.Column, source) {
	if len(b.uses) == 1 {
		return &b.uses[0].col, b.only
	}
	out := &column.Column{Type: column.StringType, Dict: column.NewDict()}
	won := make([]int, n)
	for row := range n {
		last := -1
		for u := range b.uses {
			if b.uses[u].col.IsNull(row) {
				continue
			}
			if last >= 0 {
				lose(row, &b.uses[last])
			}
			last = u
		}
		if last < 0 {
			out.AppendNulls(1)
			last = len(b.uses) - 1
		} else {
			out.AppendBytes(b.uses[last].col.Bytes(row))
		}
		won[row] = last
	}
	return out, b.source(func(row int) *use { return &b.uses[won[row]] })
}

// source says of the values of a binding what they were, if of gives the use of each.
func (b *binding) source(of func(row int) *use) source {
	out := source{use: of}
	if b.watched() {
		out.NoID = func(row int) bool { return of(row).origin(row) != avro.Plain }
		out.Zero = func(row int) bool { return of(row).origin(row) == avro.Zero }
	}
	return out
}

func nativeType(n avro.Native) column.Type {
	switch n {
	case avro.Long:
		return column.Int64Type
	case avro.Double:
		return column.Type{ID: column.Double}
	}
	return column.StringType
}
