package engine

import (
	"strings"

	"reconcile/config"
	"reconcile/internal/column"
	"reconcile/state"
)

// The kinds of tables.
const (
	kindEvents  = "events"
	kindUsers   = "users"
	kindMapping = "mapping"
)

// Names of the columns that the vendor and we give a meaning to.
const (
	colUserID    = "user_id"
	colEventID   = "event_id"
	colSessionID = "session_id"
	colFrom      = "from_user_id"
	colTo        = "to_user_id"
	colTime      = "time"
	colJoinDate  = "joindate"
	colModified  = "last_modified"
	colRawUser   = "_raw_user_id"
	colDump      = "_dump_id"
	colRescued   = "_rescued_data"
	colCanonical = "canonical_user_id"
)

const (
	tableUsers    = "users"
	tableMapping  = "user_migrations"
	tableSessions = "sessions"
)

var (
	typeInt64     = column.Type{ID: column.Int64}
	typeTimestamp = column.Type{ID: column.Timestamp}
	typeString    = column.Type{}
)

// fold is how names are compared: without case.
func fold(name string) string { return strings.ToLower(name) }

func isTimestampName(name string) bool {
	switch fold(name) {
	case colTime, colJoinDate, colModified:
		return true
	}
	return false
}

func isIDName(name string) bool {
	switch fold(name) {
	case colUserID, colEventID, colSessionID, colFrom, colTo:
		return true
	}
	return false
}

// payload is one published column that is neither the key nor one of ours.
type payload struct {
	state.Column
	fold string
	typ  column.Type
	mask config.MaskMethod
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
	byFold   map[string]int // delivered name, folded -> payload index
	part     config.Partition
	partCol  int // payload index of the partition column, -1 without
}

// newSchema resolves the columns of a table: those it has (in their order and
// spelling) and those that are newly delivered.
func newSchema(t *config.Table, kind, key string, have []state.Column, delivered []delivered) *schema {
	s := &schema{kind: kind, key: key, keyName: key, userName: colUserID, byFold: map[string]int{}, part: t.Partition, partCol: -1}
	add := func(name string, since int64) {
		f := fold(name)
		if f == colUserID || f == key && kind == kindEvents {
			return
		}
		if _, ok := s.byFold[f]; ok {
			return
		}
		c := t.Column(name)
		if c.Mask == config.MaskDrop || !t.Takes(name) {
			return
		}
		p := payload{fold: f, typ: c.Type, mask: c.Mask, key: c.Key}
		if c.Mask != config.MaskNone {
			p.typ = typeString
		}
		p.Column = state.Column{Name: c.As, Delivered: name, Type: p.typ.String(), Since: since,
			Mask: string(c.Mask), Verifier: maskVerifier(c), Merge: c.Merge}
		s.byFold[f] = len(s.payload)
		s.payload = append(s.payload, p)
	}
	for _, c := range have {
		add(c.Delivered, c.Since)
	}
	for _, name := range t.Columns {
		add(name, 0)
	}
	for _, d := range delivered {
		add(d.name, d.dump)
	}
	if t.Partition.Unit != config.UnitNone {
		if i, ok := s.byFold[fold(t.Partition.Column)]; ok {
			s.partCol = i
		}
	}
	s.payload = append(s.payload, payload{Column: state.Column{Name: colRescued, Type: typeString.String()}, fold: colRescued})
	return s
}

// delivered is a column name and the dump whose manifest brought it.
type delivered struct {
	name string
	dump int64
}

// stateColumns returns the columns as the state keeps them.
func (s *schema) stateColumns() []state.Column {
	out := make([]state.Column, 0, len(s.payload)-1)
	for _, p := range s.payload[:len(s.payload)-1] {
		out = append(out, p.Column)
	}
	return out
}

// published returns the columns of a data file, in their order.
func (s *schema) published() []column.Column {
	if s.kind == kindMapping {
		return []column.Column{{Name: colFrom, Type: typeInt64}, {Name: colTo, Type: typeInt64}, {Name: colTime, Type: typeTimestamp},
			{Name: colCanonical, Type: typeInt64}, {Name: colDump, Type: typeInt64}}
	}
	out := []column.Column{{Name: s.userName, Type: typeInt64}}
	if s.kind == kindEvents {
		out = append(out, column.Column{Name: s.keyName, Type: typeInt64})
	}
	n := len(s.payload) - 1
	for _, p := range s.payload[:n] {
		out = append(out, column.Column{Name: p.Name, Type: p.typ})
	}
	if s.kind == kindEvents {
		out = append(out, column.Column{Name: colRawUser, Type: typeInt64})
	}
	return append(out, column.Column{Name: colDump, Type: typeInt64}, column.Column{Name: colRescued})
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
