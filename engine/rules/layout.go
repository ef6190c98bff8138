package rules

import (
	"slices"

	"reconcile/internal/column"
	"reconcile/internal/feed"
)

var (
	typeInt64     = column.Type{ID: column.Int64}
	typeTimestamp = column.Type{ID: column.Timestamp}
	typeString    = column.Type{}
)

// Layout says what columns a batch of rows has, and where each of them is. A column
// that the batch lacks is at -1.
//
// A published batch has user, key, payload, computed columns, raw user, dump and
// rescued; a stored batch, which is what a merge reads of published rows, has key, raw
// user, dump, payload and rescued; a batch of kept users has user, dump, payload and
// the notes in the place of rescued; a spilled batch has raw user, key, version and, as
// its payload, what else its rows have.
type Layout struct {
	Columns                           []column.Column // name and type of each; a batch gets copies
	User, Key, RawUser, Dump, Rescued int
	payload, computed                 span
}

// span is where columns lie that are beside each other.
type span struct{ at, n int }

func (s span) of(cols []column.Column) []column.Column { return cols[s.at : s.at+s.n] }

// Payload returns the payload columns of a batch, without _rescued_data.
func (l *Layout) Payload(cols []column.Column) []column.Column { return l.payload.of(cols) }

// PayloadAt returns where a column of the payload is, by its index in Schema.Payload.
func (l *Layout) PayloadAt(i int) int {
	if i == l.payload.n {
		return l.Rescued
	}
	return l.payload.at + i
}

// SetPayload puts the columns of a payload batch, which has Schema.Payload and nothing
// else, into those of another batch.
func (l *Layout) SetPayload(cols, payload []column.Column) {
	copy(l.Payload(cols), payload)
	cols[l.Rescued] = payload[l.payload.n]
}

// PayloadBatch returns the columns of a payload batch out of those of another batch.
func (l *Layout) PayloadBatch(cols []column.Column) []column.Column {
	return append(slices.Clone(l.Payload(cols)), cols[l.Rescued])
}

// Computed returns the computed columns of a batch.
func (l *Layout) Computed(cols []column.Column) []column.Column { return l.computed.of(cols) }

// Only returns the columns at some places, to read no more than these.
func (l *Layout) Only(at ...int) []column.Column {
	out := make([]column.Column, len(at))
	for i, n := range at {
		out[i] = l.Columns[n]
	}
	return out
}

// NewColumns returns columns for a new batch.
func (l *Layout) NewColumns() []column.Column { return slices.Clone(l.Columns) }

func (l *Layout) addColumn(name string, t column.Type) int {
	l.Columns = append(l.Columns, column.Column{Name: name, Type: t})
	return len(l.Columns) - 1
}

func (l *Layout) addPayload(s *Schema) {
	l.payload = span{len(l.Columns), s.Rescued()}
	for _, c := range s.Payload[:s.Rescued()] {
		l.addColumn(c.Name, c.Type)
	}
}

func noColumns() *Layout {
	return &Layout{User: -1, Key: -1, RawUser: -1, Dump: -1, Rescued: -1}
}

// Published is the layout of a table's data files. That of user_migrations is
// MappingLayout.
func (s *Schema) Published() *Layout {
	l := noColumns()
	l.User = l.addColumn(s.UserName, typeInt64)
	if s.Kind == feed.KindEvents {
		l.Key = l.addColumn(s.KeyName, typeInt64)
	}
	l.addPayload(s)
	l.computed = span{len(l.Columns), len(s.Computed)}
	for _, c := range s.Computed {
		l.addColumn(c.Name, c.Type)
	}
	if s.Kind == feed.KindEvents {
		l.RawUser = l.addColumn(feed.RawUserID, typeInt64)
	}
	l.Dump = l.addColumn(feed.DumpID, typeInt64)
	l.Rescued = l.addColumn(feed.RescuedData, typeString)
	return l
}

// Stored is the layout of what a merge reads of published and shadow rows.
func (s *Schema) Stored() *Layout {
	l := noColumns()
	l.Key, l.RawUser, l.Dump = l.addColumn(s.KeyName, typeInt64), l.addColumn(feed.RawUserID, typeInt64), l.addColumn(feed.DumpID, typeInt64)
	l.addPayload(s)
	l.Rescued = l.addColumn(s.Payload[s.Rescued()].Name, typeString)
	return l
}

// Kept is the layout of the kept rows of users; s is un-cast.
func (s *Schema) Kept() *Layout {
	l := noColumns()
	l.User, l.Dump = l.addColumn(KeptUser, typeInt64), l.addColumn(KeptDump, typeInt64)
	l.addPayload(s)
	l.Rescued = l.addColumn(s.Payload[s.Rescued()].Name, typeString)
	return l
}

// MappingLayout says where the columns of user_migrations are.
type MappingLayout struct {
	Columns                         []column.Column
	From, To, Time, Canonical, Dump int
}

// Entries returns the columns that the mapping's entries are made of. In a batch of them
// alone they are where the layout says.
func (l *MappingLayout) Entries() []column.Column { return l.Columns[:l.Canonical] }

// PublishedMapping is the layout of the data files of user_migrations.
func PublishedMapping() *MappingLayout {
	return &MappingLayout{From: 0, To: 1, Time: 2, Canonical: 3, Dump: 4, Columns: []column.Column{
		{Name: feed.FromUserID, Type: typeInt64}, {Name: feed.ToUserID, Type: typeInt64}, {Name: feed.Time, Type: typeTimestamp},
		{Name: feed.CanonicalUserID, Type: typeInt64}, {Name: feed.DumpID, Type: typeInt64}}}
}

// FileColumns returns the columns of the table's data files.
func (s *Schema) FileColumns() []column.Column {
	if s.Kind == feed.KindMapping {
		return PublishedMapping().Columns
	}
	return s.Published().Columns
}
