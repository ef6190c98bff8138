package engine

import (
	"slices"

	"reconcile/config"
	"reconcile/internal/column"
	"reconcile/internal/definition"
	"reconcile/internal/feed"
	"reconcile/state"
)

var (
	typeInt64     = column.Type{ID: column.Int64}
	typeTimestamp = column.Type{ID: column.Timestamp}
	typeString    = column.Type{}
)

// payload is one published column that is neither the key nor one of ours.
type payload struct {
	state.Column
	fold string // what tells it apart: definition.Table.ID of its names
	typ  column.Type
	rule column.Rule // what values are cast by; those of users when they are merged
	mask definition.MaskMethod
	key  []byte // of the mask
}

// schema is what a table's rows look like. The payload ends with
// _rescued_data.
type schema struct {
	kind     string
	key      string // delivered name of the key column
	keyName  string // as published
	userName string // user_id as published
	payload  []payload
	table    *definition.Table
	legacy   bool           // the table's columns were named before keys and timestamps were exact names
	byFold   map[string]int // ID of a delivered name -> payload index
	dropped  []state.Column // delivered, and left out by a mask
	part     definition.Partition
	partCol  int // payload index of the partition column, -1 without
}

// newSchema resolves the columns of a table: those it has (in their order and
// spelling) and those that are newly delivered.
//
// live tells whether a dump's rows count: what only the files of void dumps
// brought is no column. legacy says that an older program named those it has.
func newSchema(t *definition.Table, kind, key string, have []state.Column, delivered []delivered, live func(int64) bool, legacy bool, keys func(verifier string) config.Secret) *schema {
	s := &schema{kind: kind, key: key, keyName: key, userName: feed.UserID, table: t, legacy: legacy, byFold: map[string]int{}, part: t.Partition, partCol: -1}
	known := newColumnBook(t, legacy)
	for _, c := range have {
		known.has(c)
	}
	wanted := map[string]bool{} // the configuration lists it, delivered or not
	for _, name := range t.Columns {
		if !t.Yields(name) {
			wanted[t.ID(name)] = true
			known.note(state.Column{Delivered: name})
		}
	}
	for _, d := range delivered {
		c := state.Column{Delivered: d.name, Since: d.dump, Listed: d.listed}
		if !d.listed {
			c.Seen = d.dump
		}
		known.note(c)
	}
	for _, f := range known.order {
		k := known.byID[f]
		name := askedName(t, legacy, *k)
		if f == feed.UserID || f == key && kind == feed.KindEvents || !t.Takes(name) || !wanted[f] && !k.Listed && (k.Seen == 0 || !live(k.Seen)) {
			continue
		}
		c := t.Column(name)
		kept := state.Column{Delivered: k.Delivered, Spellings: k.Spellings, Since: k.Since, Mask: string(c.Mask), Listed: k.Listed, Seen: k.Seen}
		if c.Mask == definition.MaskDrop {
			kept.Type = typeString.String()
			s.dropped = append(s.dropped, kept)
			continue
		}
		p := payload{fold: f, typ: c.Type, rule: c.Rule, mask: c.Mask, key: keys(c.Verifier)}
		if c.Mask != definition.MaskNone {
			p.typ, p.rule = typeString, column.Rule{}
		}
		kept.Name, kept.Type, kept.Verifier, kept.Merge = known.publishedName(f, c.As), p.typ.String(), c.Verifier, c.Merge
		kept.TimeUnit, kept.Round = unitText(p.rule.Unit), roundText(p.rule)
		p.Column = kept
		s.byFold[f] = len(s.payload)
		s.payload = append(s.payload, p)
	}
	if t.Partition.Unit != definition.UnitNone {
		if i, ok := s.byFold[t.ID(t.Partition.Column)]; ok {
			s.partCol = i
		}
	}
	s.payload = append(s.payload, payload{Column: state.Column{Name: feed.RescuedData, Type: typeString.String()}, fold: feed.RescuedData})
	return s
}

// delivered is a column name and the dump whose manifest brought it.
type delivered struct {
	name   string
	dump   int64
	listed bool // by the manifest; otherwise found in a file
}

// masks reports whether delivered rows hold what must not be stored.
func (s *schema) masks() bool {
	return len(s.dropped) > 0 || slices.ContainsFunc(s.payload, func(p payload) bool { return p.mask != definition.MaskNone })
}

// stateColumns returns the columns as the state keeps them.
func (s *schema) stateColumns() []state.Column {
	out := make([]state.Column, 0, len(s.payload)-1)
	for _, p := range s.payload[:len(s.payload)-1] {
		out = append(out, p.Column)
	}
	return append(out, s.dropped...)
}

// published returns the columns of a data file, in their order.
func (s *schema) published() []column.Column {
	if s.kind == feed.KindMapping {
		return []column.Column{{Name: feed.FromUserID, Type: typeInt64}, {Name: feed.ToUserID, Type: typeInt64}, {Name: feed.Time, Type: typeTimestamp},
			{Name: feed.CanonicalUserID, Type: typeInt64}, {Name: feed.DumpID, Type: typeInt64}}
	}
	out := []column.Column{{Name: s.userName, Type: typeInt64}}
	if s.kind == feed.KindEvents {
		out = append(out, column.Column{Name: s.keyName, Type: typeInt64})
	}
	n := len(s.payload) - 1
	for _, p := range s.payload[:n] {
		out = append(out, column.Column{Name: p.Name, Type: p.typ})
	}
	if s.kind == feed.KindEvents {
		out = append(out, column.Column{Name: feed.RawUserID, Type: typeInt64})
	}
	return append(out, column.Column{Name: feed.DumpID, Type: typeInt64}, column.Column{Name: feed.RescuedData})
}

// emptyPayload returns the payload columns without rows.
func (s *schema) emptyPayload() []column.Column {
	out := make([]column.Column, len(s.payload))
	for i, p := range s.payload {
		out[i] = column.Column{Name: p.Name, Type: p.typ}
		out[i].Reset()
	}
	return out
}
